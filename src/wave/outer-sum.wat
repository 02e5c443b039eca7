;; One row of a weight made of templates and scalers: out[i * ny + j] = sum over t of x[t][i] * y[t][j], float32.
;;
;; $x and $y are the bytes where row 0 of each begins, $xs and $ys the bytes from one t to the next. Four j at a time: the
;; last four of a run may reach past its end, in y, where they read what the next run or nothing needs, and in out,
;; where the next run is written over them. Callers leave 12 bytes free after both.
(module
  (memory (import "host" "memory") 1 65536)

  (func (export "outerSum")
    (param $out i32) (param $x i32) (param $xs i32) (param $nx i32)
    (param $y i32) (param $ys i32) (param $ny i32) (param $count i32)
    (local $xEnd i32) (local $j i32) (local $t i32) (local $px i32) (local $py i32) (local $sum v128)
    (local.set $xEnd (i32.add (local.get $x) (i32.shl (local.get $nx) (i32.const 2))))
    (block $done
      (loop $nextX
        (br_if $done (i32.ge_u (local.get $x) (local.get $xEnd)))
        (local.set $j (i32.const 0))
        (loop $nextY
          (local.set $px (local.get $x))
          (local.set $py (i32.add (local.get $y) (i32.shl (local.get $j) (i32.const 2))))
          (local.set $sum (v128.const f32x4 0 0 0 0))
          (local.set $t (local.get $count))
          (loop $nextT
            (local.set $sum (f32x4.add (local.get $sum)
              (f32x4.mul (v128.load32_splat (local.get $px)) (v128.load align=4 (local.get $py)))))
            (local.set $px (i32.add (local.get $px) (local.get $xs)))
            (local.set $py (i32.add (local.get $py) (local.get $ys)))
            (br_if $nextT (local.tee $t (i32.sub (local.get $t) (i32.const 1)))))
          (v128.store align=4 (i32.add (local.get $out) (i32.shl (local.get $j) (i32.const 2))) (local.get $sum))
          (br_if $nextY (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 4))) (local.get $ny))))
        (local.set $out (i32.add (local.get $out) (i32.shl (local.get $ny) (i32.const 2))))
        (local.set $x (i32.add (local.get $x) (i32.const 4)))
        (br $nextX)))))
