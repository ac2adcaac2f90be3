// Package causal is an event log for services that work offline: nodes emit events,
// exchange them in any order, lose connections, crash and are restored, and still agree on
// one history, know which events conflict, and resolve them the same way everywhere.
//
// # Nodes
//
// A [Node] emits and receives events, and keeps them in a store:
//
//	node, err := causal.OpenNode(ctx, "alice", store, causal.NodeOptions{ProjectUUID: project})
//	event, err := node.Emit(ctx, causal.EventParams{Type: "TitleChanged", AggregateID: "doc-1"})
//	receipt, err := node.Receive(ctx, events, nil) // from elsewhere
//
// What Emit returns is stored, and comes after all that the store held: its Lamport clock
// is greater, and its parents are the heads of its aggregate. [Node.Decide] emits what
// follows from a history, if that is still all there is. Receive takes events in any order
// and any number of times. Package causalsync exchanges what two nodes do not have in common.
// Nothing goes wrong in silence: a missing event is a [Gap], a node that runs twice or went
// back to a backup is a [ForkError], and what cannot be taken is rejected and kept.
//
// # Events, and what they say of the past
//
// An [Event] is an immutable value, emitted by a Node, made by [NewEvent] or decoded from
// JSON. It is stamped if it names its parents and the clock of its node's previous event, as
// those of a Node do; others, such as those of the Python library, are plain. There are
// three orders:
//
//   - [Compare] is total and the same on all nodes. It never contradicts causality, but
//     also puts events in order that know nothing of each other.
//   - Causality is what events say. A [History] of some events knows which comes before
//     which, by parents, the chains of nodes, causes and vector clocks; which are
//     concurrent; and what nobody can know. It has the heads, the conflicts, the gaps and
//     the forks. Of stamped events of one aggregate it knows all, unless one is missing.
//   - Arrival is the order of one log: a late event from an offline node sorts before
//     others under Compare, but arrives after them. [LogReader], [Follow] and [Consume]
//     read in this order and miss nothing.
//
// Wall clocks play no part: [Event.Timestamp] is for people.
//
// # Merges and states
//
// The merges fold a set of events into one answer, whatever their order and repetition:
// [MergeGSet], [MergeORSet], [MergeCounter], [MergeLWW], [MergeMV], [ResolveState] and
// [MergeStateMachine]. [GSet], [ORSet], [PNCounter] and [LWWRegister] are the states behind
// them: they apply events one at a time, in any order and any number of times, and merge
// with those of other replicas. A replica that tracks what it has seen can send a lagging
// one just a [Delta], and drop what every node has seen (see [StableCut]).
//
// # Conventions
//
// Unless noted otherwise, everything is safe for concurrent use, and no function
// retains or modifies a slice or map passed to it. Invalid arguments, including a nil
// context, store or function, are reported as a [*ValidationError].
//
// # Without a Node
//
// The parts of a Node can be used alone, as the Python package has them. A [LamportClock]
// ticks for each event that is emitted, and moves past each one that is received: if an
// event caused another, directly or through others, its clock is less. The converse does
// not hold, so [IsConcurrent], which goes by equal clocks, has no false positives and
// misses most concurrent pairs. [TopologicalSort] puts causes before effects. Whoever
// stamps events has one clock for a node ID at a time, unless the storage is a
// [ClockAdvancer], and saves an event before it is applied.
//
// # Storage
//
// [MemStore] keeps everything in memory, module causalsqlite in one file, module causalpg in
// a PostgreSQL database. They implement [Store], which is made of small interfaces such as
// [EventStore]; a Node needs [NodeStorage]. Package causaltest checks a store, and package
// causaladapter helps to write one. Stores only append:
// different content under a stored event ID is an error, and nothing is ever overwritten.
//
// # Errors
//
// Each kind of failure has a sentinel for [errors.Is], and where more is known a
// struct for [errors.As]: [ErrValidation] and [ValidationError], and so on. The
// text of an error may contain event IDs and clock values, and never a payload, a name
// or another text value.
//
// # Caveats
//
// A node ID names one history: an installation that begins anew, or a copy of a storage,
// needs an ID of its own. A plain copy of a file is not told from the original, and its
// node forks; what would give a wrong answer over two events of one clock value returns
// an [ErrFork].
//
// A Node needs all events of its project. Where events of an aggregate come from one store,
// they are in order unless the caller says what was read ([EventParams], [Node.Decide]).
// No event is ever erased.
//
// Each event of a broken node can push all clocks ahead by as much as
// [LamportClockOptions] allow. Merges and histories need their events in memory.
// Payloads and unknown members nested more than 1000 levels deep are refused.
//
// # Compatibility
//
// This is the Go port of the Python package spec-kitty-events 0.4.0, whose events it reads
// and writes; docs/wire-format.md specifies the format.
// Until version 1.0 the Go API may change in minor versions; the changelog says how.
// The texts of errors, of [Event.String] and of resolution notes are for people and
// may change at any time.
package causal
