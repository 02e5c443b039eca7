;; The two passes of an 8-bit resize; resize8.ts says which pixels and weights. A sum begins at one half, so that dropping
;; the 22 bits after the point rounds; narrowing twice keeps it within 0..255.
;;
;; All addresses are bytes. Weights are i32 with 22 bits after the point, `most` of them for each result.
(module
  (memory (export "memory") 1 65536)

  ;; Rows of three channels: result x of each row is a sum over the pixels first[x] .. first[x] + lengths[x] - 1.
  ;; Reads one byte behind a row of pixels and writes one behind a row of results.
  (func (export "across")
    (param $in i32) (param $inStride i32) (param $out i32) (param $outStride i32) (param $rows i32)
    (param $first i32) (param $lengths i32) (param $weights i32) (param $most i32) (param $wide i32)
    (local $x i32) (local $from i32) (local $weight i32) (local $end i32) (local $to i32) (local $sum v128)
    (local.set $most (i32.shl (local.get $most) (i32.const 2)))
    (local.set $wide (i32.shl (local.get $wide) (i32.const 2)))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (local.set $x (i32.const 0))
        (local.set $to (local.get $out))
        (loop $pixel
          (local.set $from (i32.add (local.get $in)
            (i32.mul (i32.load (i32.add (local.get $first) (local.get $x))) (i32.const 3))))
          (local.set $weight (i32.add (local.get $weights)
            (i32.mul (i32.shr_u (local.get $x) (i32.const 2)) (local.get $most))))
          (local.set $end (i32.add (local.get $weight)
            (i32.shl (i32.load (i32.add (local.get $lengths) (local.get $x))) (i32.const 2))))
          (local.set $sum (i32x4.splat (i32.const 0x200000)))
          (loop $tap
            (local.set $sum (i32x4.add (local.get $sum)
              (i32x4.mul
                (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero (local.get $from))))
                (v128.load32_splat (local.get $weight)))))
            (local.set $from (i32.add (local.get $from) (i32.const 3)))
            (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
            (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
          (local.set $sum (i32x4.shr_s (local.get $sum) (i32.const 22)))
          (local.set $sum (i16x8.narrow_i32x4_s (local.get $sum) (local.get $sum)))
          (v128.store32_lane 0 (local.get $to) (i8x16.narrow_i16x8_u (local.get $sum) (local.get $sum)))
          (local.set $to (i32.add (local.get $to) (i32.const 3)))
          (local.set $x (i32.add (local.get $x) (i32.const 4)))
          (br_if $pixel (i32.lt_u (local.get $x) (local.get $wide))))
        (local.set $in (i32.add (local.get $in) (local.get $inStride)))
        (local.set $out (i32.add (local.get $out) (local.get $outStride)))
        (br $row))))

  ;; Result row y is a sum over the rows first[y] - skipped .. first[y] - skipped + lengths[y] - 1, 16 values at a time.
  ;; `stride` is that of both, a multiple of 16.
  (func (export "down")
    (param $in i32) (param $out i32) (param $stride i32) (param $rows i32)
    (param $first i32) (param $lengths i32) (param $weights i32) (param $most i32) (param $skipped i32)
    (local $i i32) (local $from i32) (local $weight i32) (local $end i32) (local $factor v128)
    (local $bytes v128) (local $low v128) (local $high v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $most (i32.shl (local.get $most) (i32.const 2)))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (local.set $end (i32.add (local.get $weights) (i32.shl (i32.load (local.get $lengths)) (i32.const 2))))
        (local.set $i (i32.const 0))
        (loop $piece
          (local.set $from (i32.add (i32.add (local.get $in) (local.get $i))
            (i32.mul (i32.sub (i32.load (local.get $first)) (local.get $skipped)) (local.get $stride))))
          (local.set $weight (local.get $weights))
          (local.set $a (i32x4.splat (i32.const 0x200000)))
          (local.set $b (local.get $a))
          (local.set $c (local.get $a))
          (local.set $d (local.get $a))
          (loop $tap
            (local.set $factor (v128.load32_splat (local.get $weight)))
            (local.set $bytes (v128.load (local.get $from)))
            (local.set $low (i16x8.extend_low_i8x16_u (local.get $bytes)))
            (local.set $high (i16x8.extend_high_i8x16_u (local.get $bytes)))
            (local.set $a (i32x4.add (local.get $a)
              (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $low)) (local.get $factor))))
            (local.set $b (i32x4.add (local.get $b)
              (i32x4.mul (i32x4.extend_high_i16x8_u (local.get $low)) (local.get $factor))))
            (local.set $c (i32x4.add (local.get $c)
              (i32x4.mul (i32x4.extend_low_i16x8_u (local.get $high)) (local.get $factor))))
            (local.set $d (i32x4.add (local.get $d)
              (i32x4.mul (i32x4.extend_high_i16x8_u (local.get $high)) (local.get $factor))))
            (local.set $from (i32.add (local.get $from) (local.get $stride)))
            (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
            (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
          (v128.store (i32.add (local.get $out) (local.get $i))
            (i8x16.narrow_i16x8_u
              (i16x8.narrow_i32x4_s
                (i32x4.shr_s (local.get $a) (i32.const 22)) (i32x4.shr_s (local.get $b) (i32.const 22)))
              (i16x8.narrow_i32x4_s
                (i32x4.shr_s (local.get $c) (i32.const 22)) (i32x4.shr_s (local.get $d) (i32.const 22)))))
          (local.set $i (i32.add (local.get $i) (i32.const 16)))
          (br_if $piece (i32.lt_u (local.get $i) (local.get $stride))))
        (local.set $first (i32.add (local.get $first) (i32.const 4)))
        (local.set $lengths (i32.add (local.get $lengths) (i32.const 4)))
        (local.set $weights (i32.add (local.get $weights) (local.get $most)))
        (local.set $out (i32.add (local.get $out) (local.get $stride)))
        (br $row)))))
