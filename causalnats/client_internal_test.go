package causalnats

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// Which errors of servers are temporary, so that a call is retried, with the
// texts sent by servers.
func TestTransient(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"no server answers":            {nats.ErrNoResponders, true},
		"no leader":                    {&jetstream.APIError{Code: 503, ErrorCode: codeNotAvailable, Description: "JetStream system temporarily unavailable"}, true},
		"servers that have just begun": {&jetstream.APIError{Code: 400, ErrorCode: codeNoPeers, Description: "no suitable peers for placement, peer offline"}, true},
		"too few servers":              {&jetstream.APIError{Code: 400, ErrorCode: codeNoPeers, Description: "no suitable peers for placement"}, false},
		"a server that is alone":       {&jetstream.APIError{Code: 500, ErrorCode: codeNoReplicas, Description: "replicas > 1 not supported in non-clustered mode"}, false},
		"a full account":               {&jetstream.APIError{Code: 400, ErrorCode: codeAccountExceeded, Description: "resource limits exceeded for account"}, false},
		"a full stream":                {&jetstream.APIError{Code: 503, ErrorCode: codeStoreFailed, Description: "maximum bytes exceeded"}, false},
		"a disk that fails":            {&jetstream.APIError{Code: 503, ErrorCode: codeStoreFailed, Description: "error storing"}, true},
		"another error":                {errors.New("other"), false},
	} {
		require.Equal(t, test.want, isTransient(fmt.Errorf("wrapped: %w", test.err)), name)
	}
}
