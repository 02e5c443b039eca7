;; A row of patches of an RGB image of 8 bits as float32, [patches, 3, patch, patch], each value by its table, [3, 256].
;; Addresses are bytes, `width` and `patch` pixels. `from` is the pixel at the upper left, as the model sees it, `step` what leads
;; from each pixel to the next, 3 or, in a mirrored image, -3.
(module
  (memory (import "host" "memory") 1 65536)

  (func (export "cut") (param $from i32) (param $step i32) (param $width i32) (param $patch i32)
    (param $table i32) (param $out i32)
    (local $line i32) (local $plane i32) (local $rowBytes i32) (local $endOfRow i32) (local $last i32)
    (local $pixel i32) (local $start i32) (local $to i32) (local $end i32)
    (local.set $rowBytes (i32.mul (local.get $width) (i32.const 3)))
    (local.set $line (i32.shl (local.get $patch) (i32.const 2)))
    (local.set $plane (i32.mul (local.get $line) (local.get $patch)))
    (local.set $endOfRow (i32.add (local.get $out) (i32.mul (i32.mul (local.get $rowBytes) (local.get $patch)) (i32.const 4))))
    (local.set $last (i32.add (local.get $out) (local.get $plane)))
    (loop $row
      (local.set $pixel (local.get $from))
      (local.set $start (local.get $out))
      (loop $across
        (local.set $to (local.get $start))
        (local.set $end (i32.add (local.get $to) (local.get $line)))
        (loop $next
          (f32.store (local.get $to)
            (f32.load (i32.add (local.get $table) (i32.shl (i32.load8_u (local.get $pixel)) (i32.const 2)))))
          (f32.store (i32.add (local.get $to) (local.get $plane))
            (f32.load offset=1024
              (i32.add (local.get $table) (i32.shl (i32.load8_u offset=1 (local.get $pixel)) (i32.const 2)))))
          (f32.store (i32.add (local.get $to) (i32.shl (local.get $plane) (i32.const 1)))
            (f32.load offset=2048
              (i32.add (local.get $table) (i32.shl (i32.load8_u offset=2 (local.get $pixel)) (i32.const 2)))))
          (local.set $pixel (i32.add (local.get $pixel) (local.get $step)))
          (br_if $next (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 4))) (local.get $end))))
        (local.set $start (i32.add (local.get $start) (i32.mul (local.get $plane) (i32.const 3))))
        (br_if $across (i32.lt_u (local.get $start) (local.get $endOfRow))))
      (local.set $from (i32.add (local.get $from) (local.get $rowBytes)))
      (local.set $endOfRow (i32.add (local.get $endOfRow) (local.get $line)))
      (br_if $row (i32.lt_u (local.tee $out (i32.add (local.get $out) (local.get $line))) (local.get $last))))))
