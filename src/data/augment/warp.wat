;; Affine maps of RGB pictures; warp.ts says what they are. The arithmetic is Pillow's: in f64, in its order. Red and green are
;; in one vector, blue is in another.
(module
  (memory (import "host" "memory") 1 65536)

  ;; Four pixels by Keys' cubic kernel (a = -1), `place` of the way from the second to the third. The factors of the powers
  ;; of `place` are whole numbers.
  (func $cubic (param $p0 i32) (param $p1 i32) (param $p2 i32) (param $p3 i32) (param $place f64) (result v128 v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $at v128) (local $x v128)
    (local.set $at (f64x2.splat (local.get $place)))
    (local.set $a (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero align=1 (local.get $p0)))))
    (local.set $b (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero align=1 (local.get $p1)))))
    (local.set $c (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero align=1 (local.get $p2)))))
    (local.set $d (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero align=1 (local.get $p3)))))
    (local.set $x (i32x4.add (i32x4.sub (i32x4.sub (local.get $b) (local.get $a)) (local.get $c)) (local.get $d)))
    (local.set $d (i32x4.sub
      (i32x4.add (i32x4.shl (i32x4.sub (local.get $a) (local.get $b)) (i32.const 1)) (local.get $c)) (local.get $d)))
    (local.set $c (i32x4.sub (local.get $c) (local.get $a)))
    (f64x2.add (f64x2.convert_low_i32x4_s (local.get $b))
      (f64x2.mul (local.get $at) (f64x2.add (f64x2.convert_low_i32x4_s (local.get $c))
        (f64x2.mul (local.get $at) (f64x2.add (f64x2.convert_low_i32x4_s (local.get $d))
          (f64x2.mul (local.get $at) (f64x2.convert_low_i32x4_s (local.get $x))))))))
    (local.set $b (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $b) (local.get $b)))
    (local.set $c (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $c) (local.get $c)))
    (local.set $d (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $d) (local.get $d)))
    (local.set $x (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $x) (local.get $x)))
    (f64x2.add (f64x2.convert_low_i32x4_s (local.get $b))
      (f64x2.mul (local.get $at) (f64x2.add (f64x2.convert_low_i32x4_s (local.get $c))
        (f64x2.mul (local.get $at) (f64x2.add (f64x2.convert_low_i32x4_s (local.get $d))
          (f64x2.mul (local.get $at) (f64x2.convert_low_i32x4_s (local.get $x)))))))))

  ;; Two pixels, `place` of the way from the first to the second.
  (func $linear (param $p0 i32) (param $p1 i32) (param $place f64) (result v128 v128)
    (local $a v128) (local $b v128) (local $at v128)
    (local.set $at (f64x2.splat (local.get $place)))
    (local.set $a (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero align=1 (local.get $p0)))))
    (local.set $b (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero align=1 (local.get $p1)))))
    (local.set $b (i32x4.sub (local.get $b) (local.get $a)))
    (f64x2.add (f64x2.convert_low_i32x4_s (local.get $a))
      (f64x2.mul (f64x2.convert_low_i32x4_s (local.get $b)) (local.get $at)))
    (local.set $a (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $a) (local.get $a)))
    (local.set $b (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $b) (local.get $b)))
    (f64x2.add (f64x2.convert_low_i32x4_s (local.get $a))
      (f64x2.mul (f64x2.convert_low_i32x4_s (local.get $b)) (local.get $at))))

  ;; The same kernel, of values.
  (func $cubicOf (param $a v128) (param $b v128) (param $c v128) (param $d v128) (param $at v128) (result v128)
    (f64x2.add (local.get $b) (f64x2.mul (local.get $at)
      (f64x2.add (f64x2.sub (local.get $c) (local.get $a)) (f64x2.mul (local.get $at)
        (f64x2.add
          (f64x2.sub
            (f64x2.add (f64x2.mul (f64x2.splat (f64.const 2)) (f64x2.sub (local.get $a) (local.get $b))) (local.get $c))
            (local.get $d))
          (f64x2.mul (local.get $at) (f64x2.add
            (f64x2.sub (f64x2.sub (local.get $b) (local.get $a)) (local.get $c)) (local.get $d)))))))))

  ;; Pixel (x, y) of `out` shows (ax + by + c, dx + ey + f) of `in`; where that lies outside it stays as it is. `keeps`: 1 =
  ;; pixels stay in their row, 2 = in their column, 0 = neither. Reads one byte behind `in`.
  (func (export "warp") (param $in i32) (param $out i32) (param $width i32) (param $height i32)
    (param $a f64) (param $b f64) (param $c f64) (param $d f64) (param $e f64) (param $f f64)
    (param $isCubic i32) (param $keeps i32)
    (local $x i32) (local $y i32) (local $fx f64) (local $fy f64) (local $atX f64) (local $atY f64)
    (local $left i32) (local $top i32) (local $across f64) (local $down f64) (local $row i32) (local $place v128)
    (local $x0 i32) (local $x1 i32) (local $x2 i32) (local $x3 i32)
    (local $y0 i32) (local $y1 i32) (local $y2 i32) (local $y3 i32)
    (local $m0 v128) (local $m1 v128) (local $m2 v128) (local $m3 v128)
    (local $n0 v128) (local $n1 v128) (local $n2 v128) (local $n3 v128) (local $bytes i32)
    (local $t i32) (local $lastX i32) (local $lastY i32)
    (local.set $row (i32.mul (local.get $width) (i32.const 3)))
    (local.set $lastX (i32.sub (local.get $width) (i32.const 1)))
    (local.set $lastY (i32.sub (local.get $height) (i32.const 1)))
    (loop $nextRow
      (local.set $fy (f64.add (f64.convert_i32_s (local.get $y)) (f64.const 0.5)))
      (local.set $x (i32.const 0))
      (loop $nextPixel
        (block $outside
          (local.set $fx (f64.add (f64.convert_i32_s (local.get $x)) (f64.const 0.5)))
          (local.set $atX (f64.add (f64.add
            (f64.mul (local.get $a) (local.get $fx)) (f64.mul (local.get $b) (local.get $fy))) (local.get $c)))
          (local.set $atY (f64.add (f64.add
            (f64.mul (local.get $d) (local.get $fx)) (f64.mul (local.get $e) (local.get $fy))) (local.get $f)))
          (br_if $outside (f64.lt (local.get $atX) (f64.const 0)))
          (br_if $outside (f64.ge (local.get $atX) (f64.convert_i32_s (local.get $width))))
          (br_if $outside (f64.lt (local.get $atY) (f64.const 0)))
          (br_if $outside (f64.ge (local.get $atY) (f64.convert_i32_s (local.get $height))))
          (local.set $atX (f64.sub (local.get $atX) (f64.const 0.5)))
          (local.set $atY (f64.sub (local.get $atY) (f64.const 0.5)))
          (local.set $across (f64.sub (local.get $atX) (f64.floor (local.get $atX))))
          (local.set $down (f64.sub (local.get $atY) (f64.floor (local.get $atY))))
          (local.set $left (i32.trunc_sat_f64_s (f64.floor (local.get $atX))))
          (local.set $top (i32.trunc_sat_f64_s (f64.floor (local.get $atY))))
          ;; The pixel to the left of the place, the one before, and two to the right; within the picture.
          (local.set $t (i32.add (local.get $left) (i32.const -1)))
          (local.set $t (select (local.get $t) (i32.const 0) (i32.gt_s (local.get $t) (i32.const 0))))
          (local.set $x0 (i32.mul (local.get $t) (i32.const 3)))
          (local.set $t (local.get $left))
          (local.set $t (select (local.get $t) (i32.const 0) (i32.gt_s (local.get $t) (i32.const 0))))
          (local.set $x1 (i32.mul (local.get $t) (i32.const 3)))
          (local.set $t (i32.add (local.get $left) (i32.const 1)))
          (local.set $t (select (local.get $t) (local.get $lastX) (i32.lt_s (local.get $t) (local.get $lastX))))
          (local.set $x2 (i32.mul (local.get $t) (i32.const 3)))
          (local.set $t (i32.add (local.get $left) (i32.const 2)))
          (local.set $t (select (local.get $t) (local.get $lastX) (i32.lt_s (local.get $t) (local.get $lastX))))
          (local.set $x3 (i32.mul (local.get $t) (i32.const 3)))
          (local.set $t (i32.add (local.get $top) (i32.const -1)))
          (local.set $t (select (local.get $t) (i32.const 0) (i32.gt_s (local.get $t) (i32.const 0))))
          (local.set $y0 (i32.add (local.get $in) (i32.mul (local.get $t) (local.get $row))))
          (local.set $t (local.get $top))
          (local.set $t (select (local.get $t) (i32.const 0) (i32.gt_s (local.get $t) (i32.const 0))))
          (local.set $y1 (i32.add (local.get $in) (i32.mul (local.get $t) (local.get $row))))
          (local.set $t (i32.add (local.get $top) (i32.const 1)))
          (local.set $t (select (local.get $t) (local.get $lastY) (i32.lt_s (local.get $t) (local.get $lastY))))
          (local.set $y2 (i32.add (local.get $in) (i32.mul (local.get $t) (local.get $row))))
          (local.set $t (i32.add (local.get $top) (i32.const 2)))
          (local.set $t (select (local.get $t) (local.get $lastY) (i32.lt_s (local.get $t) (local.get $lastY))))
          (local.set $y3 (i32.add (local.get $in) (i32.mul (local.get $t) (local.get $row))))
          (if (local.get $isCubic)
            (then
              (if (i32.eq (local.get $keeps) (i32.const 1))
                (then
                  (call $cubic
                    (i32.add (local.get $y1) (local.get $x0))
                    (i32.add (local.get $y1) (local.get $x1))
                    (i32.add (local.get $y1) (local.get $x2))
                    (i32.add (local.get $y1) (local.get $x3))
                    (local.get $across))
                  (local.set $n0)
                  (local.set $m0))
                (else (if (i32.eq (local.get $keeps) (i32.const 2))
                  (then
                    (call $cubic
                      (i32.add (local.get $y0) (local.get $x1))
                      (i32.add (local.get $y1) (local.get $x1))
                      (i32.add (local.get $y2) (local.get $x1))
                      (i32.add (local.get $y3) (local.get $x1))
                      (local.get $down))
                    (local.set $n0)
                    (local.set $m0))
                  (else
                    (call $cubic
                      (i32.add (local.get $y0) (local.get $x0)) (i32.add (local.get $y0) (local.get $x1))
                      (i32.add (local.get $y0) (local.get $x2)) (i32.add (local.get $y0) (local.get $x3)) (local.get $across))
                    (local.set $n0)
                    (local.set $m0)
                    (call $cubic
                      (i32.add (local.get $y1) (local.get $x0)) (i32.add (local.get $y1) (local.get $x1))
                      (i32.add (local.get $y1) (local.get $x2)) (i32.add (local.get $y1) (local.get $x3)) (local.get $across))
                    (local.set $n1)
                    (local.set $m1)
                    (call $cubic
                      (i32.add (local.get $y2) (local.get $x0)) (i32.add (local.get $y2) (local.get $x1))
                      (i32.add (local.get $y2) (local.get $x2)) (i32.add (local.get $y2) (local.get $x3)) (local.get $across))
                    (local.set $n2)
                    (local.set $m2)
                    (call $cubic
                      (i32.add (local.get $y3) (local.get $x0)) (i32.add (local.get $y3) (local.get $x1))
                      (i32.add (local.get $y3) (local.get $x2)) (i32.add (local.get $y3) (local.get $x3)) (local.get $across))
                    (local.set $n3)
                    (local.set $m3)
                    (local.set $place (f64x2.splat (local.get $down)))
                    (local.set $m0 (call $cubicOf
                      (local.get $m0) (local.get $m1) (local.get $m2) (local.get $m3) (local.get $place)))
                    (local.set $n0 (call $cubicOf
                      (local.get $n0) (local.get $n1) (local.get $n2) (local.get $n3) (local.get $place))))))))
            (else
              (call $linear
                (i32.add (local.get $y1) (local.get $x1)) (i32.add (local.get $y1) (local.get $x2)) (local.get $across))
              (local.set $n0)
              (local.set $m0)
              (call $linear
                (i32.add (local.get $y2) (local.get $x1)) (i32.add (local.get $y2) (local.get $x2)) (local.get $across))
              (local.set $n1)
              (local.set $m1)
              (local.set $place (f64x2.splat (local.get $down)))
              (local.set $m0 (f64x2.add (local.get $m0)
                (f64x2.mul (f64x2.sub (local.get $m1) (local.get $m0)) (local.get $place))))
              (local.set $n0 (f64x2.add (local.get $n0)
                (f64x2.mul (f64x2.sub (local.get $n1) (local.get $n0)) (local.get $place))))))
          ;; Cut off to whole numbers, then to 0..255.
          (local.set $m0 (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23
            (i32x4.trunc_sat_f64x2_s_zero (local.get $m0)) (i32x4.trunc_sat_f64x2_s_zero (local.get $n0))))
          (local.set $m0 (i16x8.narrow_i32x4_s (local.get $m0) (local.get $m0)))
          (local.set $bytes (i32x4.extract_lane 0 (i8x16.narrow_i16x8_u (local.get $m0) (local.get $m0))))
          (i32.store16 align=1 (local.get $out) (local.get $bytes))
          (i32.store8 offset=2 (local.get $out) (i32.shr_u (local.get $bytes) (i32.const 16))))
        (local.set $out (i32.add (local.get $out) (i32.const 3)))
        (br_if $nextPixel (i32.lt_s (local.tee $x (i32.add (local.get $x) (i32.const 1))) (local.get $width))))
      (br_if $nextRow (i32.lt_s (local.tee $y (i32.add (local.get $y) (i32.const 1))) (local.get $height))))))
