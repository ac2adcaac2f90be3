package causalnats

import (
	"cmp"
	"reflect"
	"regexp"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// Options are the options of [Provision], [Open] and [New]. nil and the zero value mean the
// defaults.
type Options struct {
	// Name is what the names of the streams and of their subjects begin with: up to 32 letters,
	// digits and hyphens. It defaults to "causal". Each name is a store of its own, such as
	// for another application.
	Name string
	// Replicas is how many servers keep each stream: 1, 3 or 5; zero means 3. Open and New
	// refuse a store that has fewer.
	Replicas int
	// MaxBytes bounds the stream of the events, for Provision; zero means no bound. When it is
	// full, saves return a [*causal.StorageError]; nothing is dropped.
	MaxBytes int64
	// ErrorLimit is how many entries of the error log are kept, for Provision. Zero means
	// [causal.DefaultErrorLimit].
	ErrorLimit int
	// Replica is the copy of the log that this Store reads: a store that nobody else writes, and
	// no other Store has, such as one of package causalsqlite in a file, best with SyncNormal, since
	// the log repairs it. It is empty, or what an earlier Store with the same Name had, or a
	// backup of that. Others may read it. It stays the caller's, who closes it after the
	// Store. nil means one in memory, which is filled anew each time: good for up to a
	// million events.
	Replica causal.Store
	// Retry is how long a call goes on trying while servers do not answer, unless its context
	// ends before. Zero means 30 seconds, which is longer than servers take to elect a leader.
	Retry time.Duration
}

// names are those of the streams and subjects of a store.
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

// check returns what is wrong with the options.
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
