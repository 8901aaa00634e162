package sql

import (
	"context"
	_ "embed"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

var (
	//go:embed query/bounced.sql
	bounced string
	//go:embed query/complained_address.sql
	complainedAddress string
	//go:embed query/code_nonce.sql
	codeNonce string
)

// CodeNonce is the random part of the code of one generation; nil if there is no such
// code.
func (db *DB) CodeNonce(ctx context.Context, request int64, generation int) ([]byte, error) {
	nonce, err := first[[]byte](ctx, db.x, codeNonce, request, generation)
	return nonce, wrap(err, "read the code of request %d", request)
}

// Bounced records that a report of a class came back to the mail with the code of one
// generation (D11). It tells whether that was news: a repetition, a lighter class, an
// older generation and an activated request change nothing. After a complaint the
// address is left alone, even if the request is activated (D17).
func (db *DB) Bounced(ctx context.Context, request int64, generation int, class conversion.Bounce) (news bool, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := run(ctx, tx, do(lockRequests, pq.Array([]int64{request}))); err != nil {
			return err
		}
		n, err := affected(tx.ExecContext(ctx, bounced, request, generation, class))
		if err != nil {
			return err
		}
		news = n == 1
		if class != conversion.BounceComplaint {
			return nil
		}
		made, err := complained(ctx, tx, request, generation)
		news = news || made
		return err
	})
	return news, wrap(err, "record the bounce of request %d", request)
}

// complained excludes the address that one mail went to, unless it is excluded without
// end already. It does not know an address that the request has left since.
func complained(ctx context.Context, tx *sqlx.Tx, request int64, generation int) (bool, error) {
	if err := run(ctx, tx, waitForExclusions); err != nil {
		return false, err
	}
	key, err := first[string](ctx, tx, complainedAddress, request, generation)
	if err != nil || key == "" {
		return false, err
	}
	_, err = excludeOne(ctx, tx, Exclusion{Excluded: conversion.Excluded{Kind: conversion.ExcludedAddress, Key: key}, Reason: "complaint"}, "worker")
	return err == nil, err
}
