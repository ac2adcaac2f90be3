package causalnats_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalnats"
)

// A server of a cluster may not have heard of a stream that has just been
// created. This one answers so once after it has created one.
func TestProvisionOnLaggingServer(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(s.Shutdown)
	require.True(t, s.ReadyForConnections(10*time.Second))
	api, err := nats.Connect(s.ClientURL())
	require.NoError(t, err)
	t.Cleanup(api.Close)
	configs, asked := map[string]json.RawMessage{}, map[string]int{}
	_, err = api.Subscribe("$JS.API.STREAM.*.*", func(m *nats.Msg) {
		kind, stream, _ := strings.Cut(strings.TrimPrefix(m.Subject, "$JS.API.STREAM."), ".")
		answer := `{"error":{"code":404,"err_code":10059,"description":"stream not found"}}`
		_, exists := configs[stream]
		switch {
		case kind == "CREATE" && exists:
			answer = `{"error":{"code":400,"err_code":10058,"description":"stream name already in use"}}`
		case kind == "CREATE":
			configs[stream], answer = m.Data, `{}`
		case asked[stream] >= 2:
			answer = fmt.Sprintf(`{"config":%s}`, configs[stream])
		}
		if kind == "INFO" {
			asked[stream]++
		}
		_ = m.Respond([]byte(answer))
	})
	require.NoError(t, err)
	nc, err := nats.Connect(s.ClientURL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	require.NoError(t, causalnats.Provision(t.Context(), nc, &causalnats.Options{Name: "Lag"}))
}
