// Written by deploy/generate-migrations from migrations/0006_signed_metadata.sql: change that file, not this one.
extension Migration {
    static let m0006 = Migration(
        name: "0006_signed_metadata",
        sql: #"""
            -- Manifests signed by The Update Framework's roles, rollbacks and recoveries, and the nodes that follow.

            -- One root for the registry: which keys sign for which role. Private keys are never here.
            CREATE TABLE root_metadata (
                version integer PRIMARY KEY CHECK (version > 0),
                -- Signed metadata, byte for byte as it is served.
                body bytea NOT NULL,
                created_at timestamptz NOT NULL,
                created_by text NOT NULL
            );

            -- What targets and snapshot said at each version: immutable, and kept.
            CREATE TABLE signed_metadata (
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                role text NOT NULL CHECK (role IN ('targets', 'snapshot')),
                version integer NOT NULL CHECK (version > 0),
                body bytea NOT NULL,
                -- The manifest that it leads to.
                sequence integer NOT NULL,
                signed_at timestamptz NOT NULL,
                PRIMARY KEY (ensemble_id, role, version),
                FOREIGN KEY (ensemble_id, sequence) REFERENCES manifest (ensemble_id, sequence)
            );

            -- The newest metadata of an ensemble. Each role counts its versions by itself: a renewal is a new version.
            CREATE TABLE metadata_head (
                ensemble_id bigint PRIMARY KEY REFERENCES ensemble,
                generation integer NOT NULL CHECK (generation > 0),
                sequence integer NOT NULL CHECK (sequence > 0),
                -- Whose keys signed.
                root_version integer NOT NULL REFERENCES root_metadata,
                targets_version integer NOT NULL,
                targets_signed_at timestamptz NOT NULL,
                snapshot_version integer NOT NULL,
                snapshot_signed_at timestamptz NOT NULL,
                timestamp_version integer NOT NULL,
                timestamp_signed_at timestamptz NOT NULL,
                -- The newest timestamp, byte for byte; older ones are not kept.
                timestamp_body bytea NOT NULL,
                targets_role text NOT NULL GENERATED ALWAYS AS ('targets') STORED,
                snapshot_role text NOT NULL GENERATED ALWAYS AS ('snapshot') STORED,
                FOREIGN KEY (ensemble_id, sequence) REFERENCES manifest (ensemble_id, sequence),
                FOREIGN KEY (ensemble_id, targets_role, targets_version) REFERENCES signed_metadata (ensemble_id, role, version),
                FOREIGN KEY (ensemble_id, snapshot_role, snapshot_version) REFERENCES signed_metadata (ensemble_id, role, version)
            );

            -- A node that has seen a version refuses every smaller one, and the same one with other bytes.
            CREATE FUNCTION refuse_older_metadata() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'DELETE' OR (NEW.generation, NEW.sequence) < (OLD.generation, OLD.sequence)
                   OR NEW.root_version < OLD.root_version OR NEW.targets_version < OLD.targets_version
                   OR NEW.snapshot_version < OLD.snapshot_version OR NEW.timestamp_version <= OLD.timestamp_version THEN
                    RAISE EXCEPTION 'signed metadata never goes back' USING ERRCODE = 'restrict_violation';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER metadata_head_never_goes_back BEFORE UPDATE OR DELETE ON metadata_head
                FOR EACH ROW EXECUTE FUNCTION refuse_older_metadata();

            -- A rollback serves the content of an earlier manifest under a new number; a recovery goes on after a restored backup
            -- from a number that no node has seen. Neither has a decision of its own: the body names the content's.
            ALTER TABLE manifest ALTER COLUMN decision_id DROP NOT NULL;
            ALTER TABLE manifest ADD COLUMN content_of integer;
            ALTER TABLE manifest
                ADD FOREIGN KEY (ensemble_id, content_of) REFERENCES manifest (ensemble_id, sequence),
                ADD CHECK ((decision_id IS NULL) = (content_of IS NOT NULL)),
                ADD CHECK (content_of < sequence);
            ALTER TABLE promotion ALTER COLUMN decision_id DROP NOT NULL;
            ALTER TABLE promotion
                DROP CONSTRAINT promotion_kind_check,
                ADD CONSTRAINT promotion_kind_check
                    CHECK (kind IN ('founding', 'admit', 'admit_retire', 'rollback', 'recovery')),
                ADD CHECK ((decision_id IS NULL) = (kind IN ('rollback', 'recovery')));

            -- Serving nodes --------------------------------------------------------------------------------------------------------

            -- What each node last said of each ensemble that it follows.
            CREATE TABLE node_report (
                node text COLLATE "C" NOT NULL CHECK (node ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                program_version text NOT NULL,
                first_reported_at timestamptz NOT NULL,
                reported_at timestamptz NOT NULL,
                state text NOT NULL CHECK (state IN ('empty', 'serving', 'stale', 'pinned')),
                -- The manifest that it serves.
                running_generation integer,
                running_sequence integer,
                running_sha256 text CHECK (running_sha256 ~ '^[0-9a-f]{64}$'),
                -- The newest one that it tried; with a stage and a code where it refused it.
                attempted_sha256 text CHECK (attempted_sha256 ~ '^[0-9a-f]{64}$'),
                refused_stage text CHECK (refused_stage IN ('verify', 'download', 'load', 'warm', 'activate', 'runtime')),
                refused_code text,
                refused_message text CHECK (length(refused_message) <= 2000),
                -- Versions of the metadata that it trusts: a recovery goes on above them.
                root_version integer,
                targets_version integer,
                snapshot_version integer,
                timestamp_version integer,
                -- Cache and latency figures.
                figures jsonb NOT NULL DEFAULT '{}',
                PRIMARY KEY (node, ensemble_id),
                CHECK ((running_sequence IS NULL) = (running_generation IS NULL)),
                CHECK ((running_sequence IS NULL) = (running_sha256 IS NULL)),
                CHECK ((running_sequence IS NULL) = (state = 'empty')),
                CHECK ((refused_stage IS NULL) = (refused_code IS NULL))
            );
            CREATE INDEX node_report_of_ensemble ON node_report (ensemble_id, node);

            DO $$
            DECLARE
                name text;
            BEGIN
                FOREACH name IN ARRAY ARRAY['root_metadata', 'signed_metadata'] LOOP
                    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                                   name || '_is_immutable', name);
                END LOOP;
                FOREACH name IN ARRAY ARRAY['root_metadata', 'signed_metadata', 'metadata_head'] LOOP
                    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                                   name || '_is_not_emptied', name);
                END LOOP;
            END $$;

            """#)
}
