package sql

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// A knownKey is a key that the database has met.
type knownKey struct {
	ID      conversion.KeyID `db:"id"`
	Check   []byte           `db:"check_value"`
	GivenUp bool             `db:"given_up"` // its codes were reissued
}

var (
	//go:embed query/known_keys.sql
	knownKeysQuery string
	//go:embed query/know_key.sql
	knowKey string
	//go:embed query/give_up_key.sql
	giveUpKey string
	//go:embed query/open_keys.sql
	openKeys string
	//go:embed query/keys_waited_for.sql
	keysWaitedFor string
)

// A KeyUse is what a process wants with its keys.
type KeyUse struct {
	Worker bool             // the process mails codes
	Lost   conversion.KeyID // the known key that these replace, which may be on no ring any more; "" for none
}

// CheckKeys returns conversion.ErrKeyUnknown unless the database knows one of the keys,
// and the ring holds all keys of open requests. Without its key a code could be neither
// sent nor accepted. A database that knows no key yet takes any.
func (db *DB) CheckKeys(ctx context.Context, keys *conversion.Keyring) error {
	return db.checkKeys(ctx, db.x, keys, KeyUse{})
}

// LearnKeys is CheckKeys, but afterwards the database knows all keys of the ring. If
// two processes bring the first keys at once, one wins.
func (db *DB) LearnKeys(ctx context.Context, keys *conversion.Keyring, use KeyUse) error {
	return db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := run(ctx, tx, do(lockExclusively, keyLock)); err != nil {
			return fmt.Errorf("check keys: %w", err)
		}
		if err := db.checkKeys(ctx, tx, keys, use); err != nil {
			return err
		}
		for _, id := range keys.IDs() {
			check, err := keys.Check(id)
			if err != nil {
				return err
			}
			if err := run(ctx, tx, do(knowKey, id, check, use.Worker)); err != nil {
				return fmt.Errorf("remember key %s: %w", id, err)
			}
		}
		return nil
	})
}

func (db *DB) checkKeys(ctx context.Context, q sqlx.QueryerContext, keys *conversion.Keyring, use KeyUse) error {
	var known []knownKey
	if err := sqlx.SelectContext(ctx, q, &known, knownKeysQuery); err != nil {
		return fmt.Errorf("check keys: %w", err)
	}
	if err := recognise(known, keys, use.Lost); err != nil {
		return err
	}
	var missing pq.StringArray
	for _, k := range known {
		if k.ID != use.Lost && !slices.Contains(keys.IDs(), k.ID) {
			missing = append(missing, string(k.ID))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var needed []conversion.KeyID
	if err := sqlx.SelectContext(ctx, q, &needed, openKeys, missing); err != nil {
		return fmt.Errorf("check keys: %w", err)
	}
	if len(needed) > 0 {
		return fmt.Errorf("open requests were made with key %s, which is not in SECRET_KEY, where %s is: %w;"+
			" add it behind, or if it is lost run `bascule reissue --key %s`", needed[0], list(keys.IDs()), conversion.ErrKeyUnknown, needed[0])
	}
	return nil
}

// recognise tells whether a ring belongs to the database: it holds a known key, or it
// replaces one. A new key beside a known one is a rotation.
func recognise(known []knownKey, keys *conversion.Keyring, lost conversion.KeyID) error {
	var expected []conversion.KeyID
	belongs := len(known) == 0
	for _, k := range known {
		check, err := keys.Check(k.ID)
		held := err == nil
		switch {
		case held && !bytes.Equal(check, k.Check):
			return fmt.Errorf("SECRET_KEY holds another key %s than this database knows by that id: %w", k.ID, conversion.ErrKeyUnknown)
		case k.GivenUp && k.ID == keys.Newest():
			return fmt.Errorf("the first key of SECRET_KEY, %s, was given up with `bascule reissue`: %w; put another one before it", k.ID, conversion.ErrKeyUnknown)
		case held || k.ID == lost:
			belongs = true
		}
		if !k.GivenUp {
			expected = append(expected, k.ID)
		}
	}
	if !belongs {
		return fmt.Errorf("SECRET_KEY holds key %s, but this database was set up with key %s: %w;"+
			" give the SECRET_KEY that the other processes have", list(keys.IDs()), list(expected), conversion.ErrKeyUnknown)
	}
	return nil
}

func list(ids []conversion.KeyID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}
