// Written by deploy/generate-migrations from migrations/0003_replay.sql: change that file, not this one.
extension Migration {
    static let m0003 = Migration(
        name: "0003_replay",
        sql: #"""
            -- Replays: decisions computed again from their stored inputs, by the workers, beside the queue of evaluations.

            ALTER TABLE evaluation
                ADD COLUMN replays bigint REFERENCES decision,
                DROP CONSTRAINT evaluation_kind_check,
                DROP CONSTRAINT evaluation_state_check,
                ADD CONSTRAINT evaluation_kind_check CHECK (kind IN ('founding', 'admission', 'replay')),
                ADD CONSTRAINT evaluation_state_check CHECK (state IN (
                    'queued', 'evaluating', 'evaluated', 'decided', 'failed', 'cancelled', 'replayed')),
                ADD CHECK ((kind = 'replay') = (replays IS NOT NULL)),
                ADD CHECK (CASE kind WHEN 'replay' THEN state NOT IN ('evaluated', 'decided') ELSE state <> 'replayed' END);

            -- Which of evaluation's unnamed checks ties finished_at to the states is found by its text.
            DO $$
            DECLARE
                name text;
            BEGIN
                SELECT c.conname INTO STRICT name FROM pg_constraint c
                WHERE c.conrelid = 'evaluation'::regclass AND c.contype = 'c'
                  AND pg_get_constraintdef(c.oid) LIKE '%finished_at IS NOT NULL%';
                EXECUTE format('ALTER TABLE evaluation DROP CONSTRAINT %I', name);
            END $$;
            ALTER TABLE evaluation
                ADD CONSTRAINT evaluation_finished_check
                CHECK ((state IN ('decided', 'failed', 'cancelled', 'replayed')) = (finished_at IS NOT NULL));

            -- A replay changes nothing, so it holds up no newcomer.
            DROP INDEX evaluation_one_in_flight;
            CREATE UNIQUE INDEX evaluation_one_in_flight ON evaluation (ensemble_id)
                WHERE state IN ('evaluating', 'evaluated') AND kind <> 'replay';
            -- Asking twice is harmless.
            CREATE UNIQUE INDEX evaluation_one_open_replay ON evaluation (replays) WHERE state IN ('queued', 'evaluating');

            CREATE TABLE replay (
                evaluation_id bigint PRIMARY KEY REFERENCES evaluation,
                decision_id bigint NOT NULL REFERENCES decision,
                identical boolean NOT NULL,
                -- What the recomputed evidence says.
                evidence_sha256 text NOT NULL CHECK (evidence_sha256 ~ '^[0-9a-f]{64}$'),
                -- Places with both values; they may be of sealed rows.
                differences jsonb NOT NULL,
                worker text NOT NULL,
                program_version text NOT NULL,
                seconds double precision NOT NULL CHECK (seconds >= 0),
                replayed_at timestamptz NOT NULL DEFAULT now(),
                CHECK (identical = (jsonb_array_length(differences) = 0))
            );
            CREATE INDEX replay_of_decision ON replay (decision_id);
            CREATE TRIGGER replay_is_immutable BEFORE UPDATE OR DELETE ON replay
                FOR EACH ROW EXECUTE FUNCTION refuse_change();
            CREATE TRIGGER replay_is_not_emptied BEFORE TRUNCATE ON replay
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

            """#)
}
