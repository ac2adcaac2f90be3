package causalnats

import (
	"cmp"
	"reflect"
	"regexp"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// Options are the options of [Provision], [Open] and [New]. nil and the zero
// value mean the defaults.
type Options struct {
	// Name is the prefix of the names of the streams and their subjects: up to
	// 32 letters, digits and hyphens. It defaults to "causal". Each name is a
	// separate store, for example for another application.
	Name string
	// Replicas is the number of servers keeping each stream: 1, 3 or 5; zero
	// means 3. Open and New refuse a store with fewer.
	Replicas int
	// MaxBytes limits the stream of the events, for Provision; zero means no
	// limit. When it is full, saves return a [*causal.StorageError]; nothing is
	// dropped.
	MaxBytes int64
	// ErrorLimit is the number of entries kept in the error log, for Provision.
	// Zero means [causal.DefaultErrorLimit].
	ErrorLimit int
	// Replica is the copy of the log read by this Store. Use a store without
	// other writers, such as a file of package causalsqlite, preferably with
	// SyncNormal, because the log repairs it. It must be empty, or have the
	// content left by an earlier Store with the same Name, or be a backup of
	// that, and belong to only one Store. Others may read it. The caller must
	// close it after the Store. nil means a replica in memory, which is filled
	// again each time and suitable for up to a million events.
	Replica causal.Store
	// Retry is how long a request is retried while servers do not answer,
	// unless its context is done first. A call may make several requests. Zero
	// means 30 seconds, which is longer than the servers need to elect a
	// leader.
	Retry time.Duration
}

// names are the names of the streams and subjects of a store.
type names struct{ log, state, rejects, errors, logSubject, hintSubject, clocks, checkpoints, rejected, errorSubject string }

var validName = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)

func (o *Options) names() names {
	n := cmp.Or(o.Name, "causal")
	return names{
		log: n + "_LOG", state: n + "_STATE", rejects: n + "_REJ", errors: n + "_ERR",
		logSubject: n + ".log", hintSubject: n + ".hint", errorSubject: n + ".err",
		clocks: n + ".clk.", checkpoints: n + ".ckp.", rejected: n + ".rej.",
	}
}

// check returns the error for invalid options.
func (o *Options) check() error {
	switch {
	case o.Name != "" && !validName.MatchString(o.Name):
		return causaladapter.Invalid("name", "must have 1 to 32 ASCII letters, digits or hyphens")
	case o.Replicas != 0 && o.Replicas != 1 && o.Replicas != 3 && o.Replicas != 5:
		return causaladapter.Invalid("replicas", "must be 0, 1, 3 or 5")
	case o.MaxBytes < 0:
		return causaladapter.Invalid("max_bytes", "must not be negative")
	case o.ErrorLimit < 0:
		return causaladapter.Invalid("error_limit", "must not be negative")
	case o.Replica != nil && reflect.ValueOf(o.Replica).IsZero():
		return causaladapter.Invalid("replica", "must not be a nil pointer")
	case o.Retry < 0:
		return causaladapter.Invalid("retry", "must not be negative")
	}
	return nil
}

func (o *Options) replicas() int { return cmp.Or(o.Replicas, 3) }

func (o *Options) retry() time.Duration { return cmp.Or(o.Retry, 30*time.Second) }

// orDefaults returns o, or the defaults if it is nil.
func (o *Options) orDefaults() *Options {
	if o == nil {
		return &Options{}
	}
	return o
}
