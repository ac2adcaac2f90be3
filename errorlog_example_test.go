package causal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/spec-kitty/causal"
)

func ExampleNewErrorLog() {
	ctx := context.Background()
	errorLog, err := causal.NewErrorLog(&causal.MemErrorStorage{})
	if err != nil {
		log.Fatal(err)
	}
	err = errorLog.Log(ctx, causal.ErrorEntry{ActionAttempted: "move WP001 to done", ErrorMessage: "tests are red"})
	if err != nil {
		log.Fatal(err)
	}
	recent, err := errorLog.Recent(ctx, 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(recent), recent[0].ErrorMessage, recent[0].Agent)
	// Output: 1 tests are red unknown
}

func ExampleErrorLog() {
	ctx := context.Background()
	errorLog, err := causal.NewErrorLog(&causal.MemErrorStorage{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(errorLog.Log(ctx, causal.ErrorEntry{Agent: "bob"}))
	_, err = errorLog.Recent(ctx, 0)
	fmt.Println(err)
	// Output:
	// causal: validation failed: action_attempted must not be empty; error_message must not be empty
	// causal: validation failed: limit must be at least 1
}

func ExampleErrorEntry() {
	entry := causal.ErrorEntry{
		Timestamp: time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC), ActionAttempted: "save", ErrorMessage: "disk full", Resolution: "freed 2 GB", Agent: "alice",
	}
	data, err := json.Marshal(entry)
	fmt.Println(string(data), err)
	fmt.Println(json.Unmarshal([]byte(`{"timestamp": "2026-01-26T10:00:00Z"}`), &entry))
	fmt.Println(entry.Validate(), entry.Agent)
	// Output:
	// {"timestamp":"2026-01-26T10:00:00Z","action_attempted":"save","error_message":"disk full","resolution":"freed 2 GB","agent":"alice"} <nil>
	// causal: validation failed: action_attempted is missing; error_message is missing
	// <nil> alice
}

func ExampleErrorStorage() {
	ctx := context.Background()
	var storage causal.ErrorStorage = &causal.MemErrorStorage{}
	for _, message := range []string{"first", "second"} {
		entry := causal.ErrorEntry{Timestamp: time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC), ActionAttempted: "save", ErrorMessage: message}
		if err := storage.AppendError(ctx, entry); err != nil {
			log.Fatal(err)
		}
	}
	recent, err := storage.RecentErrors(ctx, 1)
	fmt.Println(recent[0].ErrorMessage, err)
	// Output: second <nil>
}

func ExampleMemErrorStorage() {
	recent, err := new(causal.MemErrorStorage).RecentErrors(context.Background(), 10)
	fmt.Println(recent, err)
	// Output: [] <nil>
}

func ExampleNewMemErrorStorage() {
	ctx := context.Background()
	storage, err := causal.NewMemErrorStorage(2)
	if err != nil {
		log.Fatal(err)
	}
	for _, message := range []string{"first", "second", "third"} {
		entry := causal.ErrorEntry{Timestamp: time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC), ActionAttempted: "save", ErrorMessage: message}
		if err := storage.AppendError(ctx, entry); err != nil {
			log.Fatal(err)
		}
	}
	recent, err := storage.RecentErrors(ctx, 10)
	fmt.Println(len(recent), recent[1].ErrorMessage, err)
	// Output: 2 second <nil>
}
