package main

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
		intro: "A leased clock reserves 1024 values with one write. An update hears of a clock that is one ahead.",
		libs: []lib{
			{key: "causal-leased", name: "causal, leased", ours: true},
			{key: "causal", name: "causal", ours: true},
			{key: "causalsqlite-leased", name: "causalsqlite, leased", ours: true},
			{key: "causalsqlite", name: "causalsqlite", ours: true},
			{
				key: "serf", name: "hashicorp/serf",
				leavesOut: "storage, errors, a bound: one bad remote value resets it to 0",
				faster:    "it is one atomic addition, which nothing can refuse: ours looks at the context and never issues a value that is not reserved",
			},
		},
		ops: []op{{"tick", "tick"}, {"tick-parallel", "tick, on all cores"}, {"update", "update"}},
	},
	{
		name: "ID", title: "Event IDs",
		intro: "As text, which JSON and the keys of storages need.",
		libs: []lib{
			{key: "causal", name: "causal", ours: true},
			{key: "ulid", name: "oklog/ulid", leavesOut: "order when the wall clock steps back, entropy that nobody can guess"},
			{key: "uuid", name: "google/uuid V7", leavesOut: "nothing; 36 characters"},
		},
		ops: []op{{"make", "make an ID"}, {"make-parallel", "make an ID, on all cores"}},
	},
	{
		name: "Vector", title: "Vector clocks",
		intro: "The map is a `map[string]uint64`, as most libraries have it. The two clocks are concurrent and differ in the last two " +
			"nodes. A tick gives a clock that an event can keep, so it copies.",
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
		intro: "The reads are of 100,000 events in 901 aggregates. An event has 13 members and a payload of 180 bytes. Appends go into " +
			"stores that grow to 100,000 events, in the order that the peers need.",
		libs: []lib{
			{key: "causal", name: "causal", ours: true},
			{key: "hallgren", name: "hallgren/eventsourcing", leavesOut: "identity of events (a retry is an error or a copy), events out of order"},
			{key: "eventhorizon", name: "looplab/eventhorizon", leavesOut: "identity, events out of order, a read over all; a save at version 0 replaces history"},
			{key: "goes", name: "modernice/goes", leavesOut: "retries (an error), errors of reads that are cut short; aggregates have no index"},
		},
		ops: storeOps,
	},
	{
		name: "Disk", title: "Event stores on disk",
		intro: "The same events and reads; each append is flushed to the disk. hallgren's store runs on the same SQLite with the same " +
			"settings, through database/sql, and keeps as JSON what it has no columns for. bbolt gets our JSON and two orders, in 100 lines.",
		libs: []lib{
			{key: "causalsqlite", name: "causalsqlite", ours: true},
			{key: "hallgren", name: "hallgren/eventsourcing/eventstore/sql", leavesOut: "identity of events, events out of order, fractions of seconds, errors of reads that are cut short"},
			{
				key: "bbolt", name: "etcd-io/bbolt with our JSON", leavesOut: "use by a second process, arrival order",
				faster: "the file belongs to one process, so that it is read from mapped memory and a page is written once; SQLite reads " +
					"through a cache that other processes may make stale, and writes a page to its log and later to its place",
			},
		},
		ops: storeOps,
	},
	{
		name: "Sync", title: "Sync",
		intro: "Two replicas in memory have 100,000 or a million events in common, and one of them some more, in random places. causalsync finds " +
			"and fetches them, the salt and the sums of the peer being known; negentropy of go-nostr finds their IDs, and a trip to fetch " +
			"them is added. After the time: trips, and the bytes of messages without the events. A cursor is what a reader of a log keeps: it " +
			"finds what is new, and nothing that is missing for another reason.",
		libs: []lib{
			{key: "causalsync", name: "causalsync", ours: true},
			{
				key: "negentropy", name: "nbd-wtf/go-nostr/nip77/negentropy", leavesOut: "the events, salted sums, sums that are kept: each round " +
					"adds up all IDs anew",
				faster: "the time of ours includes reading, checking and refusing 1000 events",
			},
			{key: "cursor", name: "a cursor", leavesOut: "whatever is not new", isOther: true},
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
