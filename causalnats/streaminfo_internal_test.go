package causalnats

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// A leader is trusted if it has recently been in contact with a majority of
// servers.
func TestMajority(t *testing.T) {
	for text, want := range map[string]bool{
		`{"config":{"num_replicas":1},"cluster":{"leader":"a"}}`: true,
		`{"config":{"num_replicas":1}}`:                          true,
		`{"config":{"num_replicas":3},"cluster":{"leader":"a","replicas":[{"active":1900000000},{"active":9900000000}]}}`:                                    true,
		`{"config":{"num_replicas":3},"cluster":{"leader":"a","replicas":[{"active":2500000000},{"active":9900000000}]}}`:                                    false,
		`{"config":{"num_replicas":3},"cluster":{"leader":"a","replicas":[{"active":0,"offline":true},{"active":0,"offline":true}]}}`:                        false,
		`{"config":{"num_replicas":3},"cluster":{"leader":"","replicas":[{"active":0},{"active":0}]}}`:                                                       false,
		`{"config":{"num_replicas":3},"cluster":{"leader":"a"}}`:                                                                                             false,
		`{"config":{"num_replicas":5},"cluster":{"leader":"a","replicas":[{"active":1},{"active":9900000000},{"active":9900000000},{"active":9900000000}]}}`: false,
		`{"config":{"num_replicas":5},"cluster":{"leader":"a","replicas":[{"active":1},{"active":1},{"active":9900000000},{"active":9900000000}]}}`:          true,
	} {
		var info streamInfo
		require.NoError(t, json.Unmarshal([]byte(text), &info))
		require.Equal(t, want, info.hasMajority(), text)
	}
}
