// Package causalsync synchronizes two stores over any carrier of a request and
// its answer, even after either was offline, lost messages or was restored from
// a backup. It needs no state of an earlier sync: it finds the difference
// between the two in a few short messages, however large it is.
//
//	hub, err := causalsync.New(store, &causalsync.Options{Node: node})
//	http.Handle("/sync", causalsync.Handler(hub, allow)) // which authenticates, as in the Example
//
//	tablet, err := causalsync.New(store, &causalsync.Options{Node: node})
//	report, err := tablet.Sync(ctx, causalsync.HTTP("https://hub.example.com/sync", nil), nil)
//
// It compares the two sets of events by range-based set reconciliation (Meyer,
// "Range-Based Set Reconciliation", 2023), in the order of [causal.SyncKey].
// The two sides exchange fingerprints of ranges, then of parts of the ranges
// that differ, and finally lists, with the events in the same messages.
// docs/sync-protocol.md specifies the messages.
//
// # What Sync guarantees
//
// If Sync returns nil, each event selected by the filter that either side had
// when its range was compared is stored on the other side, or listed in the
// Report as refused, with the reason. Events saved during the Sync may be left
// to the next one.
//
// A refused event does not stop the others. An event is refused if it cannot be
// decoded, is not selected by the filter, is too far ahead of the clock of a
// node, is refused by [Options.Accept], or has different content on the other
// side. In this case both sides keep their own content, for people to decide.
// Each Sync retries and reports refused events again. A node counts an event as
// stored if it has it in a fuller form (see [causal.Node.Receive]).
//
// The events of a message are stored before the next message is sent. A Sync
// may end at any time by an error, a lost message or a crash, and the next one
// continues from what is stored. Messages may be repeated, and Syncs may run
// concurrently in any direction: events are stored once.
//
// Fingerprints of different sets are equal with a probability of 2^-128 for
// each range. They depend on a salt, which the responding side changes daily
// and sends to its peers. Without a salt, anyone who can write events could
// construct two sets with the same sum (Wagner, "A Generalized Birthday
// Problem", 2002).
//
// Whatever a peer sends, memory use is bounded by [Options.MaxMessage] and by
// the sums of the replica's own events: 64 MB for all filters and peers
// together, of which 10 million events need less than 5. Each answer of a peer
// must make progress, so a Sync ends, but a hostile peer can make the progress
// tiny: limit the time by the context. [SyncOptions.MaxEvents] limits what is
// stored.
//
// A Sync does not prove that a peer shows all its events, nor who created an
// event, which Options.Accept may check. It does not encrypt. Anyone allowed to
// ask can find out whether a store has an event they can guess, so authenticate
// peers first.
package causalsync
