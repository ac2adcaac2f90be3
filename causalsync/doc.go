// Package causalsync makes two stores have the same events, over anything that carries a request and its
// answer, whoever of them was offline, lost messages or went back to a backup. It needs no state of the sync
// before: it finds out what the two do not have in common, in a few short messages, however much that is.
//
//	hub, err := causalsync.New(store, &causalsync.Options{Node: node})
//	http.Handle("/sync", causalsync.Handler(hub, authorize))
//
//	tablet, err := causalsync.New(store, &causalsync.Options{Node: node})
//	report, err := tablet.Sync(ctx, causalsync.HTTP("https://hub.example.com/sync", nil), nil)
//
// It compares the two sets of events by range-based set reconciliation (Meyer, "Range-Based Set Reconciliation",
// 2023), in the order of [causal.SyncKey]: fingerprints of ranges, of parts of those that differ, and at last
// lists, with the events in the same messages. docs/sync-protocol.md specifies the messages.
//
// # What Sync guarantees
//
// If Sync returns nil, each event of the filter that either side had when its range was compared is stored on
// the other side, or is in the Report as refused, with the reason. Events that are saved meanwhile may wait for
// the next Sync.
//
// An event that is not taken does not stop the others: one that cannot be read, that the filter does not select,
// that is too far ahead for the clock of a node, that is refused by [Options.Accept], or whose ID has other
// content on the other side. Both contents stay where they are: people decide. Each Sync tries again, and reports
// again. A node takes an event for stored if it has it in a fuller form (see [causal.Node.Receive]).
//
// What a message brings is stored before the next one is sent. A Sync may end at any time, by an error, a lost
// message or a crash: the next one goes on from what is stored. Messages may be repeated, and Syncs run at the
// same time in any direction: events are stored once.
//
// Fingerprints of different sets are equal with a probability of 2^-128 a range. They depend on a salt, which the
// side that answers changes each day and tells its peers: without one, whoever can write events could make two
// sets of one sum (Wagner, "A Generalized Birthday Problem", 2002).
//
// Whatever a peer sends, the memory that it takes is bounded by [Options.MaxMessage] and the sums of the
// replica's own events: 64 MB for all filters and peers together, of which 10 million events take less than 5. Each answer of
// a peer must make progress, so that a Sync ends; [SyncOptions.MaxEvents] and the context bound one that is sent events
// without end.
//
// It does not prove that a peer shows all that it has, nor who has made an event: Options.Accept may check that.
// It does not encrypt. Whoever may ask learns whether a store has an event that they can guess, so
// authenticate them before.
package causalsync
