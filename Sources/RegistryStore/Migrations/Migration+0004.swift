// Written by deploy/generate-migrations from migrations/0004_epochs.sql: change that file, not this one.
extension Migration {
    static let m0004 = Migration(
        name: "0004_epochs",
        sql: #"""
            -- Further validation sets of an ensemble.

            -- Earlier epochs of the same salt, groups of which this one has too: their ledger goes on.
            ALTER TABLE epoch ADD COLUMN shares_with bigint[] NOT NULL DEFAULT '{}';

            -- The same file may be meant for another epoch's rows.
            ALTER TABLE submission
                DROP CONSTRAINT submission_submitted_by_idempotency_key_key,
                ADD UNIQUE (ensemble_id, epoch, submitted_by, idempotency_key);

            """#)
}
