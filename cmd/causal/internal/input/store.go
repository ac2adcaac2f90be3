package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/causalsqlite"
)

// Store is a store given by name.
type Store struct {
	engine
	Name string // for people, without a password
}

// engine has the methods common to all stores that can be named.
type engine interface {
	causal.Store
	Check(ctx context.Context, progress func(checked, total uint64)) error
	Close() error
}

// Backup copies a store in a file. See [causalsqlite.Store.Backup].
func (s *Store) Backup(ctx context.Context, path string) error {
	file, ok := s.engine.(*causalsqlite.Store)
	if !ok {
		return errors.New("only a store in a file can be copied")
	}
	return file.Backup(ctx, path)
}

// sqliteHead is the start of an SQLite file.
const sqliteHead = "SQLite format 3\x00"

// IsStore reports whether path is an SQLite file. It does not read anything but
// regular files, because other files could not be read again.
func IsStore(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, len(sqliteHead))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == sqliteHead
}

// OpenForReading opens an existing store, and changes nothing.
func OpenForReading(ctx context.Context, name, schema string) (*Store, error) {
	if IsDatabase(name) {
		return openDatabase(ctx, name, schema)
	}
	return openFile(ctx, name, &causalsqlite.Options{ReadOnly: true})
}

// Open opens a store for writing.
func Open(ctx context.Context, name, schema string) (*Store, error) {
	if IsDatabase(name) {
		return openDatabase(ctx, name, schema)
	}
	return openFile(ctx, name, &causalsqlite.Options{MustExist: true})
}

// OpenOrCreate opens a store for writing, and creates its file if it does not
// exist. It does not create databases. closeStore closes the store, and removes
// a file it created if nothing was saved.
func OpenOrCreate(ctx context.Context, name, schema string) (store *Store, closeStore func() error, err error) {
	_, err = os.Stat(name)
	isNew := !IsDatabase(name) && errors.Is(err, os.ErrNotExist)
	if isNew {
		store, err = openFile(ctx, name, &causalsqlite.Options{})
	} else {
		store, err = Open(ctx, name, schema)
	}
	if err != nil {
		return nil, nil, err
	}
	return store, func() error {
		head, err := store.Head(context.WithoutCancel(ctx))
		if closeErr := store.Close(); err == nil {
			err = closeErr
		}
		if isNew && err == nil && head.Position() == 0 {
			err = os.Remove(name)
		}
		return err
	}, nil
}

var errNoStore = errors.New("not a store of causal")

func openFile(ctx context.Context, path string, o *causalsqlite.Options) (*Store, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && !o.MustExist && !o.ReadOnly:
	case err != nil:
		return nil, err
	case info.IsDir(), info.Size() > 0 && !IsStore(path), info.Size() == 0 && (o.ReadOnly || o.MustExist):
		return nil, fmt.Errorf("%s: %w", path, errNoStore)
	}
	store, err := causalsqlite.Open(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Store{store, path}, nil
}

// connectTimeout is the maximum time for the first answer of a database.
const connectTimeout = 10 * time.Second

func openDatabase(ctx context.Context, dsn, schema string) (*Store, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("the address of the database is not a URL") // the error contains the password
	}
	name := "postgres://" + u.Host + u.EscapedPath()
	if u.User != nil {
		dsn = u.String() // with an @ in the password escaped
	}
	connecting, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("no answer for %s", connectTimeout))
	defer cancel()
	store, err := causalpg.Open(connecting, dsn, &causalpg.Options{Schema: schema})
	if err != nil && ctx.Err() == nil && connecting.Err() != nil {
		err = context.Cause(connecting)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Store{store, name}, nil
}
