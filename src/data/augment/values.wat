;; Changes of the values of a picture in place; tables.ts and enhance.ts say which. Addresses are bytes.
(module
  (memory (import "host" "memory") 1 65536)

  ;; Replaces every byte from `at` on, `length` of them, by its entry in a table of 256.
  (func (export "replace") (param $at i32) (param $length i32) (param $table i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (loop $next
      (i32.store8 (local.get $at) (i32.load8_u (i32.add (local.get $table) (i32.load8_u (local.get $at)))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $end)))))

  ;; The same for pixels of three channels, with a table for each, [3, 256].
  (func (export "replaceColours") (param $at i32) (param $length i32) (param $table i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (loop $next
      (i32.store8 (local.get $at) (i32.load8_u (i32.add (local.get $table) (i32.load8_u (local.get $at)))))
      (i32.store8 offset=1 (local.get $at)
        (i32.load8_u offset=256 (i32.add (local.get $table) (i32.load8_u offset=1 (local.get $at)))))
      (i32.store8 offset=2 (local.get $at)
        (i32.load8_u offset=512 (i32.add (local.get $table) (i32.load8_u offset=2 (local.get $at)))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 3))) (local.get $end)))))

  ;; The sum of Pillow's grey values of pixels of three channels.
  (func (export "greySum") (param $at i32) (param $length i32) (result f64)
    (local $end i32) (local $sum i64)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (loop $next
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (call $grey (local.get $at)))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 3))) (local.get $end))))
    (f64.convert_i64_u (local.get $sum)))

  (func $grey (param $at i32) (result i32)
    (i32.shr_u
      (i32.add
        (i32.add (i32.mul (i32.load8_u (local.get $at)) (i32.const 19595))
          (i32.mul (i32.load8_u offset=1 (local.get $at)) (i32.const 38470)))
        (i32.add (i32.mul (i32.load8_u offset=2 (local.get $at)) (i32.const 7471)) (i32.const 0x8000)))
      (i32.const 16)))

  ;; Moves pixels of three channels away from their grey, or towards it: grey + factor * (value - grey), cut off.
  (func (export "tint") (param $at i32) (param $length i32) (param $factor f32)
    (local $end i32) (local $grey v128) (local $value v128) (local $bytes i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (loop $next
      (local.set $grey (i32x4.splat (call $grey (local.get $at))))
      (local.set $value (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero align=1 (local.get $at)))))
      (local.set $value (i32x4.trunc_sat_f32x4_s (f32x4.add (f32x4.convert_i32x4_s (local.get $grey))
        (f32x4.mul (f32x4.splat (local.get $factor))
          (f32x4.convert_i32x4_s (i32x4.sub (local.get $value) (local.get $grey)))))))
      (local.set $value (i16x8.narrow_i32x4_s (local.get $value) (local.get $value)))
      (local.set $bytes (i32x4.extract_lane 0 (i8x16.narrow_i16x8_u (local.get $value) (local.get $value))))
      (i32.store16 align=1 (local.get $at) (local.get $bytes))
      (i32.store8 offset=2 (local.get $at) (i32.shr_u (local.get $bytes) (i32.const 16)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 3))) (local.get $end)))))

  ;; Moves the values of a row away from their smoothed version, or towards it: smooth + factor * (value - smooth), cut off.
  ;; `above`, `here` and `below` are the first values of three rows as they were, `out` where the middle one is written:
  ;; values from `before` on, the bytes of a pixel, to as many before `length`, and up to seven more.
  (func (export "sharpen") (param $above i32) (param $here i32) (param $below i32) (param $out i32)
    (param $before i32) (param $length i32) (param $factor f32)
    (local $twice i32) (local $end i32) (local $value v128) (local $sum v128) (local $low v128) (local $high v128)
    (local.set $twice (i32.shl (local.get $before) (i32.const 1)))
    (local.set $end (i32.add (local.get $out) (i32.sub (local.get $length) (local.get $before))))
    (local.set $out (i32.add (local.get $out) (local.get $before)))
    (loop $next
      (local.set $value (v128.load8x8_u align=1 (i32.add (local.get $here) (local.get $before))))
      ;; The eight around, and the middle five times.
      (local.set $sum (i16x8.add (local.get $value) (i16x8.shl (local.get $value) (i32.const 2))))
      (local.set $sum (i16x8.add (local.get $sum)
        (v128.load8x8_u align=1 (local.get $above))))
      (local.set $sum (i16x8.add (local.get $sum)
        (v128.load8x8_u align=1 (i32.add (local.get $above) (local.get $before)))))
      (local.set $sum (i16x8.add (local.get $sum)
        (v128.load8x8_u align=1 (i32.add (local.get $above) (local.get $twice)))))
      (local.set $sum (i16x8.add (local.get $sum)
        (v128.load8x8_u align=1 (local.get $here))))
      (local.set $sum (i16x8.add (local.get $sum)
        (v128.load8x8_u align=1 (i32.add (local.get $here) (local.get $twice)))))
      (local.set $sum (i16x8.add (local.get $sum)
        (v128.load8x8_u align=1 (local.get $below))))
      (local.set $sum (i16x8.add (local.get $sum)
        (v128.load8x8_u align=1 (i32.add (local.get $below) (local.get $before)))))
      (local.set $sum (i16x8.add (local.get $sum)
        (v128.load8x8_u align=1 (i32.add (local.get $below) (local.get $twice)))))
      (local.set $low (call $sharp (i32x4.extend_low_i16x8_s (local.get $value))
        (i32x4.extend_low_i16x8_s (local.get $sum)) (local.get $factor)))
      (local.set $high (call $sharp (i32x4.extend_high_i16x8_s (local.get $value))
        (i32x4.extend_high_i16x8_s (local.get $sum)) (local.get $factor)))
      (local.set $low (i16x8.narrow_i32x4_s (local.get $low) (local.get $high)))
      (v128.store64_lane align=1 0 (local.get $out) (i8x16.narrow_i16x8_u (local.get $low) (local.get $low)))
      (local.set $above (i32.add (local.get $above) (i32.const 8)))
      (local.set $here (i32.add (local.get $here) (i32.const 8)))
      (local.set $below (i32.add (local.get $below) (i32.const 8)))
      (br_if $next (i32.lt_u (local.tee $out (i32.add (local.get $out) (i32.const 8))) (local.get $end)))))

  ;; Four values and the sums around them. A sum over 13 is never half a number, so that the rounding is beyond doubt.
  (func $sharp (param $value v128) (param $sum v128) (param $factor f32) (result v128)
    (local $smooth v128)
    (local.set $smooth (i32x4.trunc_sat_f32x4_s (f32x4.add (f32x4.splat (f32.const 0.5))
      (f32x4.div (f32x4.convert_i32x4_s (local.get $sum)) (f32x4.splat (f32.const 13))))))
    (i32x4.trunc_sat_f32x4_s (f32x4.add (f32x4.convert_i32x4_s (local.get $smooth))
      (f32x4.mul (f32x4.splat (local.get $factor))
        (f32x4.convert_i32x4_s (i32x4.sub (local.get $value) (local.get $smooth))))))))
