// Written by deploy/generate-migrations from migrations/0007_rollouts.sql: change that file, not this one.
extension Migration {
    static let m0007 = Migration(
        name: "0007_rollouts",
        sql: #"""
            -- Manifests that reach the serving nodes in stages: one node, 1 %, 10 %, 50 %, all.
            CREATE TABLE rollout (
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                sequence integer NOT NULL,
                state text NOT NULL CHECK (state IN ('baking', 'halted', 'complete', 'superseded')),
                -- Of the stage, in ten-thousandths of the nodes.
                share integer NOT NULL CHECK (share BETWEEN 1 AND 10000),
                -- As the policy said when the manifest was published.
                bake_seconds integer NOT NULL CHECK (bake_seconds >= 0),
                tolerated_refusals double precision NOT NULL CHECK (tolerated_refusals BETWEEN 0 AND 1),
                started_at timestamptz NOT NULL,
                stage_started_at timestamptz NOT NULL,
                -- When all nodes of the stage were first seen to serve it.
                baking_since timestamptz,
                -- Why it is halted.
                reason text NOT NULL CHECK (length(reason) <= 2000),
                -- Nodes that refused it, or were silent, when somebody let it go on.
                excused text[] NOT NULL,
                revision integer NOT NULL DEFAULT 1,
                PRIMARY KEY (ensemble_id, sequence),
                FOREIGN KEY (ensemble_id, sequence) REFERENCES manifest (ensemble_id, sequence),
                CHECK ((state = 'halted') = (reason <> '')),
                CHECK (state <> 'complete' OR share = 10000),
                CHECK (state = 'complete' OR share < 10000)
            );
            -- What daemons look for.
            CREATE INDEX rollout_under_way ON rollout (ensemble_id) WHERE state = 'baking';

            -- A rollout goes on or halts; it never reaches fewer nodes, and what is over stays so.
            CREATE FUNCTION refuse_shrinking_rollout() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'DELETE' OR OLD.state IN ('complete', 'superseded') OR NEW.share < OLD.share
                   OR NEW.revision <> OLD.revision + 1 THEN
                    RAISE EXCEPTION 'a rollout never goes back' USING ERRCODE = 'restrict_violation';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER rollout_never_goes_back BEFORE UPDATE OR DELETE ON rollout
                FOR EACH ROW EXECUTE FUNCTION refuse_shrinking_rollout();
            CREATE TRIGGER rollout_is_not_emptied BEFORE TRUNCATE ON rollout
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

            -- The share that the newest timestamp states, in ten-thousandths of the nodes; NULL for all of them.
            ALTER TABLE metadata_head ADD COLUMN rollout integer CHECK (rollout BETWEEN 0 AND 9999);

            """#)
}
