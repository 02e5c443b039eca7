;; From the planes of a JPEG file to RGB, with the very values of libjpeg-turbo: its smooth ("fancy") enlargement of colour
;; planes, its conversion from YCbCr. decode-jpeg.ts says what lies where.
(module
  (memory (import "host" "memory") 1 65536)

  ;; A row of a colour plane of half the width, enlarged: 16 values a time until `end`. Reads one value before `in` and 8 after.
  (func (export "widen") (param $in i32) (param $out i32) (param $end i32)
    (local $here v128)
    (loop $next
      (local.set $here (i16x8.mul (v128.load8x8_u align=1 (local.get $in)) (v128.const i16x8 3 3 3 3 3 3 3 3)))
      (v128.store align=1 (local.get $out) (v128.or
        (i16x8.shr_u (i16x8.add (i16x8.add (local.get $here) (v128.const i16x8 1 1 1 1 1 1 1 1))
          (v128.load8x8_u align=1 (i32.sub (local.get $in) (i32.const 1)))) (i32.const 2))
        (i16x8.shl
          (i16x8.shr_u (i16x8.add (i16x8.add (local.get $here) (v128.const i16x8 2 2 2 2 2 2 2 2))
            (v128.load8x8_u offset=1 align=1 (local.get $in))) (i32.const 2))
          (i32.const 8))))
      (local.set $in (i32.add (local.get $in) (i32.const 8)))
      (br_if $next (i32.lt_u (local.tee $out (i32.add (local.get $out) (i32.const 16))) (local.get $end)))))

  ;; The same for a plane of half the height, too: `near` is the row that the new one lies in, `far` its other neighbour.
  (func (export "enlarge") (param $near i32) (param $far i32) (param $out i32) (param $end i32)
    (local $before v128) (local $here v128) (local $after v128)
    (loop $next
      (local.set $before (i16x8.add (v128.load8x8_u align=1 (i32.sub (local.get $far) (i32.const 1)))
        (i16x8.mul (v128.load8x8_u align=1 (i32.sub (local.get $near) (i32.const 1))) (v128.const i16x8 3 3 3 3 3 3 3 3))))
      (local.set $here (i16x8.add (v128.load8x8_u align=1 (local.get $far))
        (i16x8.mul (v128.load8x8_u align=1 (local.get $near)) (v128.const i16x8 3 3 3 3 3 3 3 3))))
      (local.set $after (i16x8.add (v128.load8x8_u offset=1 align=1 (local.get $far))
        (i16x8.mul (v128.load8x8_u offset=1 align=1 (local.get $near)) (v128.const i16x8 3 3 3 3 3 3 3 3))))
      (local.set $here (i16x8.add (local.get $here) (i16x8.shl (local.get $here) (i32.const 1))))
      (v128.store align=1 (local.get $out) (v128.or
        (i16x8.shr_u (i16x8.add (i16x8.add (local.get $here) (v128.const i16x8 8 8 8 8 8 8 8 8)) (local.get $before))
          (i32.const 4))
        (i16x8.shl
          (i16x8.shr_u (i16x8.add (i16x8.add (local.get $here) (v128.const i16x8 7 7 7 7 7 7 7 7)) (local.get $after))
            (i32.const 4))
          (i32.const 8))))
      (local.set $near (i32.add (local.get $near) (i32.const 8)))
      (local.set $far (i32.add (local.get $far) (i32.const 8)))
      (br_if $next (i32.lt_u (local.tee $out (i32.add (local.get $out) (i32.const 16))) (local.get $end)))))

  ;; A row of RGB from one of brightness and two of colour, 16 pixels a time until `end` of the result.
  (func (export "colour") (param $y i32) (param $cb i32) (param $cr i32) (param $out i32) (param $end i32)
    (local $light v128) (local $blue v128) (local $red v128) (local $l v128) (local $b v128) (local $r v128)
    (local $r0 v128) (local $g0 v128) (local $b0 v128) (local $r1 v128) (local $g1 v128) (local $b1 v128)
    (loop $next
      (local.set $light (v128.load align=1 (local.get $y)))
      ;; Less 128, as signed bytes.
      (local.set $blue (v128.xor (v128.load align=1 (local.get $cb)) (i8x16.splat (i32.const 128))))
      (local.set $red (v128.xor (v128.load align=1 (local.get $cr)) (i8x16.splat (i32.const 128))))
      ;; Pixels 0 to 7.
      (local.set $l (i16x8.extend_low_i8x16_u (local.get $light)))
      (local.set $b (i16x8.extend_low_i8x16_s (local.get $blue)))
      (local.set $r (i16x8.extend_low_i8x16_s (local.get $red)))
      (local.set $r0 (i16x8.add (i16x8.add (local.get $l) (local.get $r)) (i16x8.narrow_i32x4_s
        (i32x4.shr_s (i32x4.add (i32x4.extmul_low_i16x8_s (local.get $r) (i16x8.splat (i32.const 26345)))
          (i32x4.splat (i32.const 32768))) (i32.const 16))
        (i32x4.shr_s (i32x4.add (i32x4.extmul_high_i16x8_s (local.get $r) (i16x8.splat (i32.const 26345)))
          (i32x4.splat (i32.const 32768))) (i32.const 16)))))
      (local.set $b0 (i16x8.add (i16x8.add (local.get $l) (i16x8.shl (local.get $b) (i32.const 1)))
        (i16x8.narrow_i32x4_s
          (i32x4.shr_s (i32x4.add (i32x4.extmul_low_i16x8_s (local.get $b) (i16x8.splat (i32.const -14942)))
            (i32x4.splat (i32.const 32768))) (i32.const 16))
          (i32x4.shr_s (i32x4.add (i32x4.extmul_high_i16x8_s (local.get $b) (i16x8.splat (i32.const -14942)))
            (i32x4.splat (i32.const 32768))) (i32.const 16)))))
      (local.set $g0 (i16x8.add (i16x8.sub (local.get $l) (local.get $r)) (i16x8.narrow_i32x4_s
        (i32x4.shr_s (i32x4.add (i32x4.splat (i32.const 32768)) (i32x4.dot_i16x8_s
          (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $b) (local.get $r))
          (i32x4.splat (i32.const 1227794406)))) (i32.const 16))
        (i32x4.shr_s (i32x4.add (i32x4.splat (i32.const 32768)) (i32x4.dot_i16x8_s
          (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $b) (local.get $r))
          (i32x4.splat (i32.const 1227794406)))) (i32.const 16)))))
      ;; Pixels 8 to 15.
      (local.set $l (i16x8.extend_high_i8x16_u (local.get $light)))
      (local.set $b (i16x8.extend_high_i8x16_s (local.get $blue)))
      (local.set $r (i16x8.extend_high_i8x16_s (local.get $red)))
      (local.set $r1 (i16x8.add (i16x8.add (local.get $l) (local.get $r)) (i16x8.narrow_i32x4_s
        (i32x4.shr_s (i32x4.add (i32x4.extmul_low_i16x8_s (local.get $r) (i16x8.splat (i32.const 26345)))
          (i32x4.splat (i32.const 32768))) (i32.const 16))
        (i32x4.shr_s (i32x4.add (i32x4.extmul_high_i16x8_s (local.get $r) (i16x8.splat (i32.const 26345)))
          (i32x4.splat (i32.const 32768))) (i32.const 16)))))
      (local.set $b1 (i16x8.add (i16x8.add (local.get $l) (i16x8.shl (local.get $b) (i32.const 1)))
        (i16x8.narrow_i32x4_s
          (i32x4.shr_s (i32x4.add (i32x4.extmul_low_i16x8_s (local.get $b) (i16x8.splat (i32.const -14942)))
            (i32x4.splat (i32.const 32768))) (i32.const 16))
          (i32x4.shr_s (i32x4.add (i32x4.extmul_high_i16x8_s (local.get $b) (i16x8.splat (i32.const -14942)))
            (i32x4.splat (i32.const 32768))) (i32.const 16)))))
      (local.set $g1 (i16x8.add (i16x8.sub (local.get $l) (local.get $r)) (i16x8.narrow_i32x4_s
        (i32x4.shr_s (i32x4.add (i32x4.splat (i32.const 32768)) (i32x4.dot_i16x8_s
          (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $b) (local.get $r))
          (i32x4.splat (i32.const 1227794406)))) (i32.const 16))
        (i32x4.shr_s (i32x4.add (i32x4.splat (i32.const 32768)) (i32x4.dot_i16x8_s
          (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $b) (local.get $r))
          (i32x4.splat (i32.const 1227794406)))) (i32.const 16)))))
      (local.set $r0 (i8x16.narrow_i16x8_u (local.get $r0) (local.get $r1)))
      (local.set $g0 (i8x16.narrow_i16x8_u (local.get $g0) (local.get $g1)))
      (local.set $b0 (i8x16.narrow_i16x8_u (local.get $b0) (local.get $b1)))
      (v128.store align=1 (local.get $out) (i8x16.shuffle 0 1 16 3 4 17 6 7 18 9 10 19 12 13 20 15
        (i8x16.shuffle 0 16 0 1 17 0 2 18 0 3 19 0 4 20 0 5 (local.get $r0) (local.get $g0))
        (local.get $b0)))
      (v128.store offset=16 align=1 (local.get $out) (i8x16.shuffle 0 21 2 3 22 5 6 23 8 9 24 11 12 25 14 15
        (i8x16.shuffle 21 0 6 22 0 7 23 0 8 24 0 9 25 0 10 26 (local.get $r0) (local.get $g0))
        (local.get $b0)))
      (v128.store offset=32 align=1 (local.get $out) (i8x16.shuffle 26 1 2 27 4 5 28 7 8 29 10 11 30 13 14 31
        (i8x16.shuffle 0 11 27 0 12 28 0 13 29 0 14 30 0 15 31 0 (local.get $r0) (local.get $g0))
        (local.get $b0)))
      (local.set $y (i32.add (local.get $y) (i32.const 16)))
      (local.set $cb (i32.add (local.get $cb) (i32.const 16)))
      (local.set $cr (i32.add (local.get $cr) (i32.const 16)))
      (br_if $next (i32.lt_u (local.tee $out (i32.add (local.get $out) (i32.const 48))) (local.get $end)))))

  ;; A row of RGB from one of brightness alone.
  (func (export "grey") (param $y i32) (param $out i32) (param $end i32)
    (local $light v128)
    (loop $next
      (local.set $light (v128.load align=1 (local.get $y)))
      (v128.store align=1 (local.get $out) (i8x16.shuffle 0 0 0 1 1 1 2 2 2 3 3 3 4 4 4 5
        (local.get $light) (local.get $light)))
      (v128.store offset=16 align=1 (local.get $out) (i8x16.shuffle 5 5 6 6 6 7 7 7 8 8 8 9 9 9 10 10
        (local.get $light) (local.get $light)))
      (v128.store offset=32 align=1 (local.get $out) (i8x16.shuffle 10 11 11 11 12 12 12 13 13 13 14 14 14 15 15 15
        (local.get $light) (local.get $light)))
      (local.set $y (i32.add (local.get $y) (i32.const 16)))
      (br_if $next (i32.lt_u (local.tee $out (i32.add (local.get $out) (i32.const 48))) (local.get $end))))))
