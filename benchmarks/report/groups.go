package main

import "strings"

// group is a set of comparisons: BenchmarkName has all of the operations with
// all of the libraries.
type group struct {
	name, title string
	intro       string
	libs        []lib
	ops         []op
}

// lib is a library, or one way of using it.
type lib struct {
	key, name string
	ours      bool
	// leavesOut is what the library does not do and ours do: asserted by a test
	// beside the benchmark, or clear from its documentation.
	leavesOut string
	// faster is the reason why it is faster than ours, if it is.
	faster string
	// isOther means that it does something else, and is not a peer.
	isOther bool
}

// op is a measured operation.
type op struct{ key, label string }

const growthGroup = "Growth"

var storeOps = []op{
	{"append-1", "append 1 event"},
	{"append-100", "append 100 events at once"},
	{"load-100", "load an aggregate of 100"},
	{"load-10000", "load an aggregate of 10,000"},
	{"range", "range over all 100,000"},
}

var groups = []group{
	{
		name: "Lamport", title: "Lamport clock",
		intro: "A leased clock reserves 1024 values with one write. An update observes a clock that is one ahead.",
		libs: []lib{
			{key: "causal-leased", name: "causal, leased", ours: true},
			{key: "causal", name: "causal", ours: true},
			{key: "causalsqlite-leased", name: "causalsqlite, leased", ours: true},
			{key: "causalsqlite", name: "causalsqlite", ours: true},
			{
				key: "serf", name: "hashicorp/serf",
				leavesOut: "storage, errors, a limit: one bad remote value resets it to 0",
				faster:    "it is one atomic addition that nothing can refuse; ours checks the context and never issues a value that is not reserved",
			},
		},
		ops: []op{{"tick", "tick"}, {"tick-parallel", "tick, on all cores"}, {"update", "update"}},
	},
	{
		name: "ID", title: "Event IDs",
		intro: "As text, the form needed for JSON and for keys of storages.",
		libs: []lib{
			{key: "causal", name: "causal", ours: true},
			{key: "ulid", name: "oklog/ulid", leavesOut: "order when the wall clock steps back, unpredictable entropy"},
			{key: "uuid", name: "google/uuid V7", leavesOut: "nothing; 36 characters"},
		},
		ops: []op{{"make", "make an ID"}, {"make-parallel", "make an ID, on all cores"}},
	},
	{
		name: "Vector", title: "Vector clocks",
		intro: "The map is a `map[string]uint64`, as in most libraries. The two clocks are concurrent and differ in the last two nodes. A tick " +
			"copies the clock, so that an event can keep it.",
		libs: []lib{
			{key: "causal", name: "causal", ours: true},
			{key: "map", name: "map", leavesOut: "immutability, checks of names and overflow"},
		},
		ops: []op{
			{"compare-3", "compare, 3 nodes"}, {"compare-16", "compare, 16 nodes"}, {"compare-256", "compare, 256 nodes"},
			{"merge-3", "merge, 3 nodes"}, {"merge-16", "merge, 16 nodes"}, {"merge-256", "merge, 256 nodes"},
			{"tick-3", "tick, 3 nodes"}, {"tick-16", "tick, 16 nodes"}, {"tick-256", "tick, 256 nodes"},
		},
	},
	{
		name: "Memory", title: "Event stores in memory",
		intro: "Reads are from 100,000 events in 901 aggregates. An event has 13 members and a payload of 180 bytes. Appends are made to " +
			"stores that grow to 100,000 events, in the order required by the peers.",
		libs: []lib{
			{key: "causal", name: "causal", ours: true},
			{key: "hallgren", name: "hallgren/eventsourcing", leavesOut: "identity of events (a retry is an error or a copy), events out of order"},
			{key: "eventhorizon", name: "looplab/eventhorizon", leavesOut: "identity, events out of order, a read over all; a save at version 0 replaces history"},
			{key: "goes", name: "modernice/goes", leavesOut: "retries (an error), errors of truncated reads, an index of aggregates"},
		},
		ops: storeOps,
	},
	{
		name: "Disk", title: "Event stores on disk",
		intro: "The same events and reads. Each append is flushed to the disk. hallgren's store uses the same SQLite with the same settings, " +
			"through database/sql, and keeps members without a column as JSON. bbolt stores our JSON and two orders, in 100 lines.",
		libs: []lib{
			{key: "causalsqlite", name: "causalsqlite", ours: true},
			{key: "hallgren", name: "hallgren/eventsourcing/eventstore/sql", leavesOut: "identity of events, events out of order, fractions of seconds, errors of truncated reads"},
			{
				key: "bbolt", name: "etcd-io/bbolt with our JSON", leavesOut: "use by a second process, arrival order",
				faster: "the file belongs to one process, so it is read from mapped memory and each page is written once; SQLite reads through a " +
					"cache that other processes may invalidate, and writes a page first to its log",
			},
		},
		ops: storeOps,
	},
	{
		name: "Sync", title: "Sync",
		intro: "Two replicas in memory have 100,000 or a million events in common, and one of them has some more, at random positions. causalsync " +
			"finds and fetches them, given the salt and the sums of the peer. negentropy of go-nostr finds their IDs, and a trip to fetch them is " +
			"added. After the time come round trips, and the bytes of messages without events. A reader of a log keeps a cursor, which finds " +
			"new entries, but nothing missing for other reasons.",
		libs: []lib{
			{key: "causalsync", name: "causalsync", ours: true},
			{
				key: "negentropy", name: "nbd-wtf/go-nostr/nip77/negentropy", leavesOut: "fetching events, salted sums, kept sums: each round " +
					"adds up all IDs again",
				faster: "our time includes reading, checking and refusing 1000 events",
			},
			{key: "cursor", name: "a cursor", leavesOut: "events that are not new", isOther: true},
		},
		ops: []op{
			{"100k-0", "100,000, none missing"}, {"100k-1", "100,000, 1 missing"}, {"100k-10", "100,000, 10 missing"},
			{"100k-1000", "100,000, 1000 missing"}, {"1000k-0", "1,000,000, none missing"}, {"1000k-1", "1,000,000, 1 missing"},
			{"1000k-10", "1,000,000, 10 missing"}, {"1000k-1000", "1,000,000, 1000 missing"},
		},
	},
}

// The cost of an event by the number of events.
var (
	growthSizes = []int{1000, 10_000, 100_000, 1_000_000}
	growthOps   = []op{
		{"save", "save, in order"},
		{"save-shuffled", "save, in random order, then read"},
		{"load", "load 100 of all"},
		{"range", "range over all"},
		{"merge-counter-in-order", "`MergeCounter`, in order"},
		{"merge-counter", "`MergeCounter`, random order"},
		{"merge-orset", "`MergeORSet`, random order"},
		{"sort", "sort by `Compare`, random order"},
		{"topological-sort", "`TopologicalSort`, random order"},
	}
)

// byHand returns the name of the benchmark that does the same by hand, if there
// is one.
func byHand(name string) string {
	switch name {
	case "Batch": // of causalsqlite
		return "BatchRaw"
	case "Save/full/writers=1":
		return "SaveRaw"
	case "MemEventStore/save/in-order":
		return "MemEventStore/save/naive"
	case "Tick/causal/lease=1":
		return "Tick/naive"
	}
	variants := map[string]string{"causal": "naive", "causal-new": "naive-new", "store": "raw", "save": "publish"}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if variant, ok := variants[part]; ok {
			parts[i] = variant
			return strings.Join(parts, "/")
		}
	}
	return ""
}

// fasterByHand has the reasons, by package and group of benchmarks.
var fasterByHand = map[string]string{
	"causal/NewEvent":     "it only encodes the payload, without an ID, checks and the other members",
	"causal/MergeCounter": "its payloads are decoded in advance, and it checks no events for conflicts",
	"causal/MergeGSet":    "its payloads are decoded in advance, and it checks no events for conflicts",
	"causal/MergeLWW":     "its payloads are decoded in advance, and it neither drops duplicates nor breaks ties",
	"causal/MergeORSet":   "its payloads are decoded in advance, and its tags grow with each repetition of add and remove",
	"causal/LWWMerge":     "it compares two integers, and replicas differ if they are equal",
	"causal/Tick":         "it writes to a map, without an interface for storage, a context and a limit",
	"causal/ORSetAdd":     "its tags grow with each repetition of add and remove, and it cannot detect a fork",
	"causalsqlite/Save":   "it checks no conflict, and maintains neither heads nor hashes",
	"causalsqlite/Batch":  "it checks no conflicts, and maintains neither heads nor hashes",
	"causalpg/Save":       "it checks no conflict, and maintains neither heads nor hashes; with more writers, ours shares transactions",
	"causalpg/Batch":      "it checks no conflicts, and maintains neither heads nor hashes",
	"causalpg/Load":       "it neither checks positions nor sorts",
	"causalnats/Save":     "it only publishes the bytes; a save also builds a record, and applies it to the replica",
}
