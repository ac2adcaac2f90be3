package causal_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// The IDs are part of the wire format: other languages must compute the same.
func TestEventIDForGolden(t *testing.T) {
	for _, test := range []struct {
		namespace, key string
		want           causal.EventID
	}{
		{namespace: "stripe", key: "evt_1", want: "7CJF595QET8CHJX4QXGQ7EMF10"},
		{namespace: "stripe/alice", key: "evt_1", want: "1A13BM4SXWRX9VHVY8RB9JJM7Y"},
		{namespace: "a", key: "bc", want: "1TSP9ETWSGTNG539QGGDFWGWRQ"},
		{namespace: "ab", key: "c", want: "02NJMMMGGJT20FTG93E3YHCVVY"},
		{namespace: "é", key: "\x00", want: "0PT8Z4TNSQ2825KR20A7WRNCS5"},
		{namespace: strings.Repeat("n", 200), key: strings.Repeat("k", 1000), want: "5XH1RAR2JCG3C255Q897M7V3HS"},
	} {
		id, err := causal.EventIDFor(test.namespace, test.key)
		require.NoError(t, err)
		require.Equal(t, test.want, id, "%.10q %.10q", test.namespace, test.key)
	}
}

func TestEventIDForRefuses(t *testing.T) {
	for _, test := range []struct {
		namespace, key, want string
	}{
		{key: "k", want: "namespace must not be empty"},
		{namespace: "\xff", key: "k", want: "namespace must be valid UTF-8"},
		{namespace: "n", want: "key must not be empty"},
		{namespace: "n", key: "\xff", want: "key must be valid UTF-8"},
	} {
		_, err := causal.EventIDFor(test.namespace, test.key)
		requireFault(t, err, test.want)
	}
}
