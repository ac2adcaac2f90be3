package causalnats_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// documented returns the subjects on a line of permissions in docs/nats.md.
func documented(t *testing.T, kind string) (subjects []string) {
	page, err := os.ReadFile("../docs/nats.md")
	require.NoError(t, err)
	_, list, ok := strings.Cut(string(page), "\n"+kind+": [")
	require.True(t, ok)
	list, _, _ = strings.Cut(list, "]")
	for word := range strings.SplitSeq(list, ",") {
		subjects = append(subjects, strings.Trim(strings.TrimSpace(word), `"`))
	}
	return subjects
}

// A Store needs exactly the permissions listed in docs/nats.md. If one is
// missing, it reports the subject immediately.
func TestPermissions(t *testing.T) {
	ctx := t.Context()
	publish, subscribe := documented(t, "publish"), documented(t, "subscribe")
	var creating []string
	for _, name := range []string{"LOG", "STATE", "REJ", "ERR"} {
		creating = append(creating, "$JS.API.STREAM.CREATE.causal_"+name)
	}
	user := func(name string, publish, subscribe []string) *server.User {
		return &server.User{Username: name, Password: name, Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
		}}
	}
	c := startCluster(t, 1, func(o *server.Options) {
		o.Users = []*server.User{
			user("all", []string{">"}, []string{">"}), user("app", publish, subscribe),
			user("provisioner", slices.Concat(publish, creating), subscribe),
			user("reader", publish[1:], subscribe),
		}
	})
	as := func(name string) *nats.Conn { return connect(t, c.urls(), nats.UserInfo(name, name)) }
	o := causalnats.Options{Replicas: 1}
	require.ErrorContains(t, causalnats.Provision(ctx, as("app"), &o), "does not permit using $JS.API.STREAM.CREATE.causal_LOG")
	require.NoError(t, causalnats.Provision(ctx, as("provisioner"), &o))
	s := open(t, as("app"), o)
	s.SetWaitLimit(0)
	for name, call := range adaptertest.Calls {
		require.NoError(t, call(ctx, s, eventtest.New(t, len(name))), name)
	}
	o.Retry = time.Second
	_, err := causalnats.Open(ctx, strings.Replace(c.urls(), "://", "://app:wrong@", 1), &o)
	require.ErrorContains(t, err, "Authorization Violation")

	reader := open(t, as("reader"), o)
	require.NotEmpty(t, eventtest.LoadAll(t, reader))
	err = reader.SaveEvent(ctx, eventtest.New(t, 500))
	eventtest.RequireStorageError(t, err)
	require.ErrorContains(t, err, "the server does not permit using causal.log")
}
