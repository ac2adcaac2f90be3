package causal

import (
	"math/big"
	"math/bits"
)

// int128 is a sum of 64-bit integers: no order of them overflows it.
type int128 struct {
	high int64
	low  uint64
}

// wide returns n as an int128.
func wide(n int64) int128 { return int128{n >> 63, uint64(n)} }

func (a int128) plus(b int128) int128 {
	low, carry := bits.Add64(a.low, b.low, 0)
	return int128{a.high + b.high + int64(carry), low}
}

// total returns the sum, or a *ValidationError if it does not fit 64 bits.
func (a int128) total() (int64, error) {
	if sum := int64(a.low); sum>>63 == a.high {
		return sum, nil
	}
	return 0, invalid("payload", "has deltas whose total does not fit 64 bits")
}

// String returns the decimal digits.
func (a int128) String() string {
	n := new(big.Int).Lsh(big.NewInt(a.high), 64)
	return n.Add(n, new(big.Int).SetUint64(a.low)).String()
}

// totalBits bounds the sums that come from outside, so that those of all nodes
// together fit an int128.
const totalBits = 96

// totalMember returns the sum that a JSON integer holds, or why it holds none.
func totalMember(value string) (sum int128, reason string) {
	n, reason := integerMember(value)
	if reason != reasonRange {
		return wide(n), reason
	}
	b, ok := new(big.Int).SetString(value, 10)
	if !ok || len(value) > len("-")+totalBits*3/10+1 || b.BitLen() > totalBits {
		return sum, reasonRange
	}
	high := new(big.Int).Rsh(b, 64) // rounds down
	low := new(big.Int).And(b, new(big.Int).SetUint64(1<<64-1))
	return int128{high.Int64(), low.Uint64()}, ""
}
