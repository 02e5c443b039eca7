;; The entropy-coded part of a baseline JPEG file: from bytes to coefficients. decode-jpeg.ts says what lies where.
;;
;; Bits are held at the upper end of an i64, `count` of them; before every symbol there are at least 32, and no symbol with
;; its value takes more than 31. A table starts with 1024 entries for the next ten bits; an entry tells
;;   bits 0-4   how many bits the code and its value take together
;;   bits 5-8   how many of them are the value's
;;   bits 9-15  how far the position in the block moves: 100 for its end, 1 for a DC value that bits 16-31 hold
;;   bits 16-31 the value, if code and value fit into ten bits
;; and is 0 for longer codes. Behind it, for codes of 11 to 16 bits: at 4096 + 4 * length the first of 16 bits that is no
;; such code, at 4160 + 4 * length what leads from a code to its entry among those at 4240, which hold no values.
(module
  (memory (import "host" "memory") 1 65536)

  (global $bits (mut i64) (i64.const 0))
  (global $count (mut i32) (i32.const 0))
  (global $next (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))
  (global $segment (mut i32) (i32.const 0))
  (global $lastSegment (mut i32) (i32.const 0))
  (global $interval (mut i32) (i32.const 0))
  (global $left (mut i32) (i32.const 0))

  ;; Copies the bytes of a scan without what was stuffed between them. At every restart, and at the end, start and end of
  ;; what came before are written to `list` (8 bytes each, at most `most`); starts are multiples of 4. Words are turned
  ;; around, so that a load gives the first byte the highest place. Reads 16 bytes past `end`, writes 16 past the copy.
  ;; Gives how many pieces there are, or 0: no end, a marker that is none of a scan, or too many pieces.
  (func (export "unstuff") (param $from i32) (param $end i32) (param $to i32) (param $list i32) (param $most i32)
    (result i32)
    (local $chunk v128) (local $mask i32) (local $byte i32) (local $pieces i32) (local $start i32) (local $first i32)
    (local.set $first (local.get $to))
    (local.set $start (local.get $to))
    (block $done
      (loop $more
        (if (i32.ge_u (local.get $from) (local.get $end)) (then (return (i32.const 0))))
        (local.set $chunk (v128.load align=1 (local.get $from)))
        (v128.store align=1 (local.get $to) (local.get $chunk))
        (local.set $mask (i8x16.bitmask (i8x16.eq (local.get $chunk) (i8x16.splat (i32.const 255)))))
        (if (i32.eqz (local.get $mask))
          (then
            (local.set $from (i32.add (local.get $from) (i32.const 16)))
            (local.set $to (i32.add (local.get $to) (i32.const 16)))
            (br $more)))
        (local.set $mask (i32.ctz (local.get $mask)))
        (local.set $from (i32.add (local.get $from) (local.get $mask)))
        (local.set $to (i32.add (local.get $to) (local.get $mask)))
        (loop $fill
          (local.set $from (i32.add (local.get $from) (i32.const 1)))
          (if (i32.ge_u (local.get $from) (local.get $end)) (then (return (i32.const 0))))
          (br_if $fill (i32.eq (local.tee $byte (i32.load8_u (local.get $from))) (i32.const 255))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (if (i32.eqz (local.get $byte))
          (then
            (i32.store8 (local.get $to) (i32.const 255))
            (local.set $to (i32.add (local.get $to) (i32.const 1)))
            (br $more)))
        ;; A restart with the number that is due, or the end.
        (if (i32.eq (local.get $pieces) (local.get $most)) (then (return (i32.const 0))))
        (i32.store (local.get $list) (local.get $start))
        (i32.store offset=4 (local.get $list) (local.get $to))
        (local.set $list (i32.add (local.get $list) (i32.const 8)))
        (if (i32.eq (local.get $byte) (i32.const 0xd9))
          (then
            (local.set $pieces (i32.add (local.get $pieces) (i32.const 1)))
            (br $done)))
        (if (i32.ne (local.get $byte) (i32.or (i32.const 0xd0) (i32.and (local.get $pieces) (i32.const 7))))
          (then (return (i32.const 0))))
        (local.set $pieces (i32.add (local.get $pieces) (i32.const 1)))
        (local.set $to (i32.and (i32.add (local.get $to) (i32.const 3)) (i32.const -4)))
        (local.set $start (local.get $to))
        (br $more)))
    (loop $turn
      (v128.store (local.get $first)
        (i8x16.shuffle 3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12
          (v128.load (local.get $first)) (v128.const i64x2 0 0)))
      (br_if $turn (i32.lt_u (local.tee $first (i32.add (local.get $first) (i32.const 16))) (local.get $to))))
    (local.get $pieces))

  ;; Goes to the first of `pieces` in `list`; each but the last holds `interval` units (0: all are in one).
  (func (export "start") (param $list i32) (param $pieces i32) (param $interval i32)
    (global.set $segment (local.get $list))
    (global.set $lastSegment (i32.add (local.get $list) (i32.shl (local.get $pieces) (i32.const 3))))
    (global.set $interval (local.get $interval))
    (global.set $left (i32.const 0))
    (global.set $next (i32.const 0))
    (global.set $end (i32.const 0))
    (global.set $count (i32.const 0)))

  ;; Begins the next piece. Gives 0 if there is none.
  (func $begin (result i32)
    (if (i32.ge_u (global.get $segment) (global.get $lastSegment)) (then (return (i32.const 0))))
    (global.set $next (i32.load (global.get $segment)))
    (global.set $end (i32.load offset=4 (global.get $segment)))
    (global.set $segment (i32.add (global.get $segment) (i32.const 8)))
    (global.set $bits (i64.const 0))
    (global.set $count (i32.const 0))
    (global.set $left (select (global.get $interval) (i32.const -1) (global.get $interval)))
    (i32.const 1))

  ;; The entry of a code of more than ten bits, of which `bits` are the next 16; 0 for none.
  (func $long (param $table i32) (param $bits i32) (result i32)
    (local $length i32) (local $at i32)
    (local.set $length (i32.const 11))
    (loop $longer
      (local.set $at (i32.add (local.get $table) (i32.shl (local.get $length) (i32.const 2))))
      (if (i32.lt_u (local.get $bits) (i32.load offset=4096 (local.get $at)))
        (then (return (i32.load offset=4240 (i32.add (local.get $table) (i32.shl
          (i32.add (i32.load offset=4160 (local.get $at))
            (i32.shr_u (local.get $bits) (i32.sub (i32.const 16) (local.get $length))))
          (i32.const 2)))))))
      (br_if $longer (i32.le_u (local.tee $length (i32.add (local.get $length) (i32.const 1))) (i32.const 16))))
    (i32.const 0))

  ;; A block of 64 coefficients (i16, rows and columns in their order) at `out`, which is zero; with out = 0 the block is only
  ;; passed over. `sum` is where the DC value before lies. `$places` (at 0) has the byte of each coefficient in the order of
  ;; the file. Gives 0 for a code that is none, or too many coefficients.
  (func $block (param $dc i32) (param $ac i32) (param $sum i32) (param $out i32) (result i32)
    (local $bits i64) (local $count i32) (local $next i32)
    (local $entry i32) (local $taken i32) (local $k i32) (local $value i32) (local $size i32) (local $tail i64)
    (local.set $bits (global.get $bits))
    (local.set $count (global.get $count))
    (local.set $next (global.get $next))
    (if (i32.lt_s (local.get $count) (i32.const 32))
      (then
        (local.set $bits (i64.or (local.get $bits)
          (i64.shl (i64.load32_u (local.get $next)) (i64.extend_i32_u (i32.sub (i32.const 32) (local.get $count))))))
        (local.set $count (i32.add (local.get $count) (i32.const 32)))
        (local.set $next (i32.add (local.get $next) (i32.const 4)))))
    (local.set $entry (i32.load (i32.add (local.get $dc)
      (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.const 54))) (i32.const 2)))))
    (if (i32.eqz (local.get $entry))
      (then
        (local.set $entry (call $long (local.get $dc) (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.const 48)))))
        (if (i32.eqz (local.get $entry)) (then (return (i32.const 0))))))
    (local.set $taken (i32.and (local.get $entry) (i32.const 31)))
    (local.set $value (i32.shr_s (local.get $entry) (i32.const 16)))
    (if (i32.eqz (i32.and (local.get $entry) (i32.const 0x200)))
      (then
        (local.set $size (i32.and (i32.shr_u (local.get $entry) (i32.const 5)) (i32.const 15)))
        (local.set $tail (i64.shl (local.get $bits) (i64.extend_i32_u (i32.sub (local.get $taken) (local.get $size)))))
        (local.set $value (i32.add
          (i32.wrap_i64 (i64.shr_u (local.get $tail) (i64.extend_i32_u (i32.sub (i32.const 64) (local.get $size)))))
          (select (i32.const 0) (i32.sub (i32.const 1) (i32.shl (i32.const 1) (local.get $size)))
            (i64.lt_s (local.get $tail) (i64.const 0)))))))
    (local.set $bits (i64.shl (local.get $bits) (i64.extend_i32_u (local.get $taken))))
    (local.set $count (i32.sub (local.get $count) (local.get $taken)))
    (local.set $value (i32.add (i32.load (local.get $sum)) (local.get $value)))
    (i32.store (local.get $sum) (local.get $value))
    (local.set $k (i32.const 1))
    (if (local.get $out)
      (then
        (i32.store16 (local.get $out) (local.get $value))
        (loop $more
          (if (i32.lt_s (local.get $count) (i32.const 32))
            (then
              (local.set $bits (i64.or (local.get $bits) (i64.shl (i64.load32_u (local.get $next))
                (i64.extend_i32_u (i32.sub (i32.const 32) (local.get $count))))))
              (local.set $count (i32.add (local.get $count) (i32.const 32)))
              (local.set $next (i32.add (local.get $next) (i32.const 4)))))
          (local.set $entry (i32.load (i32.add (local.get $ac)
            (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.const 54))) (i32.const 2)))))
          (if (i32.eqz (local.get $entry))
            (then
              (local.set $entry
                (call $long (local.get $ac) (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.const 48)))))
              (if (i32.eqz (local.get $entry)) (then (return (i32.const 0))))))
          (local.set $taken (i32.and (local.get $entry) (i32.const 31)))
          (local.set $k (i32.add (local.get $k)
            (i32.and (i32.shr_u (local.get $entry) (i32.const 9)) (i32.const 127))))
          (local.set $value (i32.shr_s (local.get $entry) (i32.const 16)))
          (if (local.get $value)
            (then
              (i32.store16 (i32.add (local.get $out) (i32.load8_u (i32.sub (local.get $k) (i32.const 1))))
                (local.get $value)))
            (else
              (local.set $size (i32.and (i32.shr_u (local.get $entry) (i32.const 5)) (i32.const 15)))
              (if (local.get $size)
                (then
                  (local.set $tail
                    (i64.shl (local.get $bits) (i64.extend_i32_u (i32.sub (local.get $taken) (local.get $size)))))
                  (i32.store16 (i32.add (local.get $out) (i32.load8_u (i32.sub (local.get $k) (i32.const 1))))
                    (i32.add
                      (i32.wrap_i64 (i64.shr_u (local.get $tail)
                        (i64.extend_i32_u (i32.sub (i32.const 64) (local.get $size)))))
                      (select (i32.const 0) (i32.sub (i32.const 1) (i32.shl (i32.const 1) (local.get $size)))
                        (i64.lt_s (local.get $tail) (i64.const 0)))))))))
          (local.set $bits (i64.shl (local.get $bits) (i64.extend_i32_u (local.get $taken))))
          (local.set $count (i32.sub (local.get $count) (local.get $taken)))
          (br_if $more (i32.lt_u (local.get $k) (i32.const 64)))))
      (else
        (loop $more
          (if (i32.lt_s (local.get $count) (i32.const 32))
            (then
              (local.set $bits (i64.or (local.get $bits) (i64.shl (i64.load32_u (local.get $next))
                (i64.extend_i32_u (i32.sub (i32.const 32) (local.get $count))))))
              (local.set $count (i32.add (local.get $count) (i32.const 32)))
              (local.set $next (i32.add (local.get $next) (i32.const 4)))))
          (local.set $entry (i32.load (i32.add (local.get $ac)
            (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.const 54))) (i32.const 2)))))
          (if (i32.eqz (local.get $entry))
            (then
              (local.set $entry
                (call $long (local.get $ac) (i32.wrap_i64 (i64.shr_u (local.get $bits) (i64.const 48)))))
              (if (i32.eqz (local.get $entry)) (then (return (i32.const 0))))))
          (local.set $taken (i32.and (local.get $entry) (i32.const 31)))
          (local.set $k (i32.add (local.get $k)
            (i32.and (i32.shr_u (local.get $entry) (i32.const 9)) (i32.const 127))))
          (local.set $bits (i64.shl (local.get $bits) (i64.extend_i32_u (local.get $taken))))
          (local.set $count (i32.sub (local.get $count) (local.get $taken)))
          (br_if $more (i32.lt_u (local.get $k) (i32.const 64))))))
    (global.set $bits (local.get $bits))
    (global.set $count (local.get $count))
    (global.set $next (local.get $next))
    ;; 64 is a full block, from 101 on its end was told before.
    (i32.ge_u (i32.sub (local.get $k) (i32.const 65)) (i32.const 36)))

  ;; One row of `units` (minimum coded units), of which those from `first` to `last` - 1 are kept, one after the other from
  ;; `out` on. `plan` has 16 bytes for each of the `blocks` of a unit: the tables of DC and AC and where the DC value before
  ;; lies; behind the plan these three values, which a restart sets to 0. Gives 0 if the data are damaged or end too early.
  (func (export "row") (param $units i32) (param $first i32) (param $last i32) (param $out i32)
    (param $plan i32) (param $blocks i32) (result i32)
    (local $unit i32) (local $at i32) (local $planEnd i32) (local $to i32) (local $zero v128)
    (local.set $planEnd (i32.add (local.get $plan) (i32.shl (local.get $blocks) (i32.const 4))))
    (loop $next
      (if (i32.eqz (global.get $left))
        (then
          (if (i32.eqz (call $begin)) (then (return (i32.const 0))))
          (v128.store (local.get $planEnd) (local.get $zero))))
      (global.set $left (i32.sub (global.get $left) (i32.const 1)))
      (local.set $to (i32.const 0))
      (if (i32.lt_u (i32.sub (local.get $unit) (local.get $first)) (i32.sub (local.get $last) (local.get $first)))
        (then (local.set $to (local.get $out))))
      (local.set $at (local.get $plan))
      (loop $nextBlock
        (if (local.get $to)
          (then
            (v128.store (local.get $to) (local.get $zero))
            (v128.store offset=16 (local.get $to) (local.get $zero))
            (v128.store offset=32 (local.get $to) (local.get $zero))
            (v128.store offset=48 (local.get $to) (local.get $zero))
            (v128.store offset=64 (local.get $to) (local.get $zero))
            (v128.store offset=80 (local.get $to) (local.get $zero))
            (v128.store offset=96 (local.get $to) (local.get $zero))
            (v128.store offset=112 (local.get $to) (local.get $zero))))
        (if (i32.eqz (call $block (i32.load (local.get $at)) (i32.load offset=4 (local.get $at))
            (i32.load offset=8 (local.get $at)) (local.get $to)))
          (then (return (i32.const 0))))
        (if (local.get $to) (then (local.set $to (i32.add (local.get $to) (i32.const 128)))))
        (br_if $nextBlock
          (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $planEnd))))
      (if (local.get $to) (then (local.set $out (local.get $to))))
      ;; More bits taken than there were.
      (if (i32.gt_u (i32.sub (global.get $next) (i32.shr_u (global.get $count) (i32.const 3))) (global.get $end))
        (then (return (i32.const 0))))
      (br_if $next (i32.lt_u (local.tee $unit (i32.add (local.get $unit) (i32.const 1))) (local.get $units))))
    (i32.const 1)))
