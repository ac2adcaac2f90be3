package causal

import (
	"math/big"
	"math/bits"
)

// int128 is a sum of 64-bit integers. It does not overflow, whatever their
// order.
type int128 struct {
	high int64
	low  uint64
}

// int128From returns n as an int128.
func int128From(n int64) int128 { return int128{n >> 63, uint64(n)} }

func (a int128) add(b int128) int128 {
	low, carry := bits.Add64(a.low, b.low, 0)
	return int128{a.high + b.high + int64(carry), low}
}

// int64 returns the sum. ok is false if it does not fit in 64 bits.
func (a int128) int64() (n int64, ok bool) { return int64(a.low), int64(a.low)>>63 == a.high }

// fits reports whether the absolute value has at most the given number of bits.
func (a int128) fits(bits int) bool { return a.big().BitLen() <= bits }

// String returns the decimal digits.
func (a int128) String() string { return a.big().String() }

func (a int128) big() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(a.high), 64)
	return n.Add(n, new(big.Int).SetUint64(a.low))
}

// int128FromBig returns n, which must fit.
func int128FromBig(n *big.Int) int128 {
	high := new(big.Int).Rsh(n, 64) // rounds down
	low := new(big.Int).And(n, new(big.Int).SetUint64(1<<64-1))
	return int128{high.Int64(), low.Uint64()}
}
