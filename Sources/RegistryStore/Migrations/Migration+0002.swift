// Written by deploy/generate-migrations from migrations/0002_gate.sql: change that file, not this one.
extension Migration {
    static let m0002 = Migration(
        name: "0002_gate",
        sql: #"""
            -- The gated rule: what an epoch has spent, what sealed rows said, verdicts that hold a submission back; policies that
            -- change.

            -- Why the policy was changed.
            ALTER TABLE policy_version ADD COLUMN reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 2000);

            -- The secret of an epoch: makes commitments to sealed figures hide them.
            ALTER TABLE epoch ADD COLUMN seal_key text NOT NULL
                DEFAULT encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex')
                CHECK (seal_key ~ '^[0-9a-f]{64}$');

            -- One row an epoch, changed by publications only, under the head's lock; every change counts the revision up.
            CREATE TABLE ledger (
                ensemble_id bigint NOT NULL,
                epoch integer NOT NULL,
                revision integer NOT NULL DEFAULT 0 CHECK (revision >= 0),
                tests integer NOT NULL DEFAULT 0 CHECK (tests >= 0),
                alpha_spent double precision NOT NULL DEFAULT 0 CHECK (alpha_spent >= 0),
                submitter_tests jsonb NOT NULL DEFAULT '{}',
                evaluations integer NOT NULL DEFAULT 0 CHECK (evaluations >= 0),
                promotions integer NOT NULL DEFAULT 0 CHECK (promotions >= 0),
                cool_downs jsonb NOT NULL DEFAULT '{}',
                tenures jsonb NOT NULL DEFAULT '{}',
                -- Of sealed rows: for auditors only.
                retired_loss double precision NOT NULL DEFAULT 0 CHECK (retired_loss >= 0),
                PRIMARY KEY (ensemble_id, epoch),
                FOREIGN KEY (ensemble_id, epoch) REFERENCES epoch (ensemble_id, number)
            );
            INSERT INTO ledger (ensemble_id, epoch) SELECT ensemble_id, number FROM epoch;

            -- What was spent stays spent, by the epoch and by each submitter.
            CREATE FUNCTION refuse_refund() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'DELETE' OR NEW.revision <> OLD.revision + 1 OR NEW.tests < OLD.tests
                   OR NEW.alpha_spent < OLD.alpha_spent OR NEW.evaluations < OLD.evaluations
                   OR NEW.promotions < OLD.promotions OR NEW.retired_loss < OLD.retired_loss
                   OR EXISTS (SELECT FROM jsonb_each_text(OLD.submitter_tests) AS spent (submitter, tests)
                              WHERE coalesce((NEW.submitter_tests ->> spent.submitter)::integer, 0) < spent.tests::integer) THEN
                    RAISE EXCEPTION 'a ledger gives nothing back' USING ERRCODE = 'restrict_violation';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER ledger_gives_nothing_back BEFORE UPDATE OR DELETE ON ledger
                FOR EACH ROW EXECUTE FUNCTION refuse_refund();
            CREATE TRIGGER ledger_is_not_emptied BEFORE TRUNCATE ON ledger
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

            -- NULL for attempts begun before there were ledgers: they are evaluated again.
            ALTER TABLE evaluation ADD COLUMN against_ledger_revision integer;

            ALTER TABLE evaluation_outcome
                DROP CONSTRAINT evaluation_outcome_verdict_check,
                ADD CONSTRAINT evaluation_outcome_verdict_check CHECK (verdict IN (
                    'ADMIT', 'ADMIT_RETIRE', 'REJECT_DUPLICATE', 'REJECT_BUDGET', 'REJECT_NO_GAIN', 'REJECT_GUARDRAIL',
                    'HOLD_COOLDOWN', 'HOLD_QUOTA', 'HOLD_EPOCH_EXHAUSTED', 'HOLD_TOO_FEW_GROUPS')),
                -- JSON of what sealed rows said; the digest is over its canonical form and stands in the open evidence too.
                ADD COLUMN sealed_evidence bytea,
                ADD COLUMN sealed_sha256 text CHECK (sealed_sha256 ~ '^[0-9a-f]{64}$'),
                -- The ledger to publish; NULL in outcomes from before there were ledgers.
                ADD COLUMN ledger jsonb,
                ADD COLUMN retired_loss double precision CHECK (retired_loss >= 0),
                -- A hold decides nothing on the merits: the submission may be evaluated again.
                ADD COLUMN is_hold boolean NOT NULL GENERATED ALWAYS AS (starts_with(verdict, 'HOLD_')) STORED,
                ADD UNIQUE (evaluation_id, is_hold),
                ADD CHECK ((sealed_evidence IS NULL) = (sealed_sha256 IS NULL)),
                ADD CHECK ((ledger IS NULL) = (retired_loss IS NULL));

            -- A submission has one evaluation at a time, and one decision on the merits.
            ALTER TABLE evaluation DROP CONSTRAINT evaluation_submission_id_key;
            CREATE UNIQUE INDEX evaluation_one_open_of_submission ON evaluation (submission_id) WHERE state <> 'decided';
            CREATE INDEX evaluation_of_submission ON evaluation (submission_id, id);
            ALTER TABLE decision
                DROP CONSTRAINT decision_submission_id_key,
                ADD COLUMN is_hold boolean NOT NULL DEFAULT false,
                ADD FOREIGN KEY (evaluation_id, is_hold) REFERENCES evaluation_outcome (evaluation_id, is_hold);
            CREATE UNIQUE INDEX decision_on_the_merits ON decision (submission_id) WHERE NOT is_hold;
            CREATE INDEX decision_of_submission ON decision (submission_id);

            ALTER TABLE promotion
                DROP CONSTRAINT promotion_admission_check,
                ADD CONSTRAINT promotion_admission_check CHECK (admission IN ('gated', 'shapley-top-k'));

            """#)
}
