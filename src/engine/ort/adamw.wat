;; AdamW and the squared norm of gradients, four float32 lanes at a time.
;;
;; AdamW (Loshchilov & Hutter 2019), one parameter p with gradient g, moments m and v:
;;   p <- p * decay                                   decay = 1 - learning rate * weight decay
;;   m <- m + (1 - beta1) * (g - m)
;;   v <- beta2 * v + (1 - beta2) * g^2
;;   p <- p - rate * m / (sqrt(v) / root + epsilon)   rate = learning rate / (1 - beta1^t), root = sqrt(1 - beta2^t)
;;
;; All addresses are bytes and 16-byte aligned; counts are elements and multiples of 4 (callers pad with zeros).
(module
  (memory (import "state" "memory") 1 65536)

  (func (export "adamw")
    (param $p i32) (param $g i32) (param $m i32) (param $v i32) (param $count i32)
    (param $rate f32) (param $decay f32) (param $beta1 f32) (param $beta2 f32) (param $root f32) (param $epsilon f32)
    (param $scale f32)
    (local $end i32)
    (local $gradient v128) (local $first v128) (local $second v128)
    (local $keep1 v128) (local $keep2 v128) (local $rest2 v128) (local $factor v128)
    (local $rates v128) (local $decays v128) (local $inverse v128) (local $epsilons v128)
    (local.set $keep1 (f32x4.splat (f32.sub (f32.const 1) (local.get $beta1))))
    (local.set $keep2 (f32x4.splat (local.get $beta2)))
    (local.set $rest2 (f32x4.splat (f32.sub (f32.const 1) (local.get $beta2))))
    (local.set $factor (f32x4.splat (local.get $scale)))
    (local.set $rates (f32x4.splat (local.get $rate)))
    (local.set $decays (f32x4.splat (local.get $decay)))
    (local.set $inverse (f32x4.splat (f32.div (f32.const 1) (local.get $root))))
    (local.set $epsilons (f32x4.splat (local.get $epsilon)))
    (local.set $end (i32.add (local.get $p) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $gradient (f32x4.mul (v128.load (local.get $g)) (local.get $factor)))
        (local.set $first (v128.load (local.get $m)))
        (local.set $first (f32x4.add (local.get $first)
          (f32x4.mul (local.get $keep1) (f32x4.sub (local.get $gradient) (local.get $first)))))
        (v128.store (local.get $m) (local.get $first))
        (local.set $second (f32x4.add
          (f32x4.mul (local.get $keep2) (v128.load (local.get $v)))
          (f32x4.mul (local.get $rest2) (f32x4.mul (local.get $gradient) (local.get $gradient)))))
        (v128.store (local.get $v) (local.get $second))
        (v128.store (local.get $p) (f32x4.sub
          (f32x4.mul (v128.load (local.get $p)) (local.get $decays))
          (f32x4.div
            (f32x4.mul (local.get $rates) (local.get $first))
            (f32x4.add (f32x4.mul (f32x4.sqrt (local.get $second)) (local.get $inverse)) (local.get $epsilons)))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (local.set $g (i32.add (local.get $g) (i32.const 16)))
        (local.set $m (i32.add (local.get $m) (i32.const 16)))
        (local.set $v (i32.add (local.get $v) (i32.const 16)))
        (br $next))))

  ;; Sum of squares in float64, so that large models lose nothing.
  (func (export "sumSquares") (param $g i32) (param $count i32) (result f64)
    (local $end i32) (local $values v128) (local $low v128) (local $high v128) (local $sums v128) (local $sums2 v128)
    (local.set $end (i32.add (local.get $g) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $g) (local.get $end)))
        (local.set $values (v128.load (local.get $g)))
        (local.set $low (f64x2.promote_low_f32x4 (local.get $values)))
        (local.set $high (f64x2.promote_low_f32x4
          (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $values) (local.get $values))))
        (local.set $sums (f64x2.add (local.get $sums) (f64x2.mul (local.get $low) (local.get $low))))
        (local.set $sums2 (f64x2.add (local.get $sums2) (f64x2.mul (local.get $high) (local.get $high))))
        (local.set $g (i32.add (local.get $g) (i32.const 16)))
        (br $next)))
    (local.set $sums (f64x2.add (local.get $sums) (local.get $sums2)))
    (f64.add (f64x2.extract_lane 0 (local.get $sums)) (f64x2.extract_lane 1 (local.get $sums)))))
