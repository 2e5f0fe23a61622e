-- Further validation sets of an ensemble.

-- Earlier epochs of the same salt, groups of which this one has too: their ledger goes on.
ALTER TABLE epoch ADD COLUMN shares_with bigint[] NOT NULL DEFAULT '{}';

-- The same file may be meant for another epoch's rows.
ALTER TABLE submission
    DROP CONSTRAINT submission_submitted_by_idempotency_key_key,
    ADD UNIQUE (ensemble_id, epoch, submitted_by, idempotency_key);
