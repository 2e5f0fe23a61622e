// Written by deploy/generate-migrations from migrations/0001_registry.sql: change that file, not this one.
extension Migration {
    static let m0001 = Migration(
        name: "0001_registry",
        sql: #"""
            -- The registry's first schema: ensembles, epochs, submissions, evaluations, decisions, manifests, tokens, audit.
            -- Names order by bytes whatever the database's collation is: hence COLLATE "C" where rows are listed by name.

            CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
            END $$;

            -- Ensembles ---------------------------------------------------------------------------------------------------------

            CREATE TABLE ensemble (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                name text COLLATE "C" NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
                description text NOT NULL DEFAULT '',
                classes text[] NOT NULL CHECK (cardinality(classes) BETWEEN 2 AND 64),
                created_at timestamptz NOT NULL DEFAULT now(),
                created_by text NOT NULL
            );

            CREATE TABLE policy_version (
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                version integer NOT NULL CHECK (version > 0),
                policy jsonb NOT NULL,
                created_at timestamptz NOT NULL DEFAULT now(),
                created_by text NOT NULL,
                PRIMARY KEY (ensemble_id, version)
            );

            CREATE TABLE validation_set (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
                row_count integer NOT NULL CHECK (row_count > 0),
                group_count integer NOT NULL CHECK (group_count BETWEEN 1 AND row_count),
                slice_count integer NOT NULL CHECK (slice_count BETWEEN 1 AND row_count),
                created_at timestamptz NOT NULL DEFAULT now(),
                UNIQUE (ensemble_id, sha256),
                UNIQUE (ensemble_id, id)
            );

            -- Rows in row-id order, 65,536 a block; the four arrays run in parallel.
            CREATE TABLE validation_row_block (
                validation_set_id bigint NOT NULL REFERENCES validation_set,
                block integer NOT NULL CHECK (block >= 0),
                row_ids text[] NOT NULL CHECK (cardinality(row_ids) BETWEEN 1 AND 65536),
                labels bigint[] NOT NULL CHECK (cardinality(labels) = cardinality(row_ids)),
                groups text[] NOT NULL CHECK (cardinality(groups) = cardinality(row_ids)),
                slices text[] NOT NULL CHECK (cardinality(slices) = cardinality(row_ids)),
                PRIMARY KEY (validation_set_id, block)
            );

            CREATE TABLE epoch (
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                number integer NOT NULL CHECK (number > 0),
                validation_set_id bigint NOT NULL,
                salt text NOT NULL,
                -- Chosen at founding, then kept.
                preset text CHECK (preset IN ('standard', 'small')),
                started_at timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (ensemble_id, number),
                FOREIGN KEY (ensemble_id, validation_set_id) REFERENCES validation_set (ensemble_id, id)
            );

            -- The one row a publication locks: what is champion, policy and epoch now.
            CREATE TABLE ensemble_head (
                ensemble_id bigint PRIMARY KEY REFERENCES ensemble,
                generation integer NOT NULL DEFAULT 1 CHECK (generation > 0),
                -- The newest manifest's; 0 before the founding.
                sequence integer NOT NULL DEFAULT 0 CHECK (sequence >= 0),
                epoch integer NOT NULL,
                policy_version integer NOT NULL,
                FOREIGN KEY (ensemble_id, epoch) REFERENCES epoch (ensemble_id, number),
                FOREIGN KEY (ensemble_id, policy_version) REFERENCES policy_version (ensemble_id, version)
            );

            -- Models and their predictions --------------------------------------------------------------------------------------

            CREATE TABLE model_version (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
                version text NOT NULL CHECK (version ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
                -- name@version: what people write, and the order of models everywhere. No name holds an @.
                reference text COLLATE "C" NOT NULL UNIQUE GENERATED ALWAYS AS (name || '@' || version) STORED,
                kind text,
                description text,
                artifact_uri text,
                artifact_sha256 text CHECK (artifact_sha256 ~ '^[0-9a-f]{64}$'),
                endpoint text,
                latency_ns bigint CHECK (latency_ns >= 0),
                cost_nano_usd bigint CHECK (cost_nano_usd >= 0),
                tags jsonb NOT NULL DEFAULT '{}',
                created_at timestamptz NOT NULL DEFAULT now(),
                created_by text NOT NULL
            );

            CREATE TABLE submission (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                ensemble_id bigint NOT NULL,
                epoch integer NOT NULL,
                model_version_id bigint NOT NULL REFERENCES model_version,
                idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 200),
                predictions_sha256 text NOT NULL CHECK (predictions_sha256 ~ '^[0-9a-f]{64}$'),
                row_count integer NOT NULL CHECK (row_count > 0),
                missing_row_count integer NOT NULL CHECK (missing_row_count >= 0),
                submitted_by text NOT NULL,
                created_at timestamptz NOT NULL DEFAULT now(),
                FOREIGN KEY (ensemble_id, epoch) REFERENCES epoch (ensemble_id, number),
                UNIQUE (ensemble_id, epoch, model_version_id),
                UNIQUE (submitted_by, idempotency_key)
            );
            CREATE INDEX submission_of_ensemble ON submission (ensemble_id, id);
            CREATE INDEX submission_of_model ON submission (model_version_id);

            -- Little-endian float32 probabilities, row by row in row-id order, 65,536 rows a block; NaN = no prediction.
            CREATE TABLE prediction_block (
                submission_id bigint NOT NULL REFERENCES submission,
                block integer NOT NULL CHECK (block >= 0),
                probabilities bytea NOT NULL,
                PRIMARY KEY (submission_id, block)
            );
            ALTER TABLE prediction_block ALTER COLUMN probabilities SET STORAGE EXTERNAL;

            -- Evaluations: the workers' queue, and their outcomes ----------------------------------------------------------------

            CREATE SEQUENCE fence_token;

            CREATE TABLE evaluation (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                kind text NOT NULL CHECK (kind IN ('founding', 'admission')),
                -- A submission has one evaluation, which may be queued again.
                submission_id bigint UNIQUE REFERENCES submission,
                requested_by text NOT NULL,
                state text NOT NULL DEFAULT 'queued'
                    CHECK (state IN ('queued', 'evaluating', 'evaluated', 'decided', 'failed', 'cancelled')),
                attempt integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
                -- The holder of the newest token is the only worker whose writes count.
                fence_token bigint,
                lease_expires_at timestamptz,
                worker text,
                progress jsonb,
                failure text,
                -- What the running attempt evaluates against; publication re-checks it.
                against_sequence integer,
                against_epoch integer,
                against_policy_version integer,
                created_at timestamptz NOT NULL DEFAULT now(),
                started_at timestamptz,
                finished_at timestamptz,
                CHECK ((kind = 'admission') = (submission_id IS NOT NULL)),
                CHECK (state <> 'evaluating' OR lease_expires_at IS NOT NULL),
                CHECK (state NOT IN ('evaluating', 'evaluated', 'decided')
                       OR num_nulls(fence_token, worker, started_at, against_sequence, against_epoch, against_policy_version) = 0),
                CHECK ((state IN ('decided', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
            );
            CREATE INDEX evaluation_in_work ON evaluation (ensemble_id, id) WHERE state IN ('queued', 'evaluating', 'evaluated');
            -- An ensemble's newcomers are judged one after another, each against the champion that the one before left.
            CREATE UNIQUE INDEX evaluation_one_in_flight ON evaluation (ensemble_id) WHERE state IN ('evaluating', 'evaluated');
            CREATE UNIQUE INDEX evaluation_one_open_founding ON evaluation (ensemble_id)
                WHERE kind = 'founding' AND state IN ('queued', 'evaluating', 'evaluated');

            -- LightGBM text models by content. One whose evaluation was sent back stays: rare, and the repeat mostly comes to the
            -- same one.
            CREATE TABLE combiner (
                sha256 text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
                trees integer NOT NULL CHECK (trees > 0),
                bytes integer NOT NULL CHECK (bytes = length(body)),
                body bytea NOT NULL,
                -- Rows to check a scorer of the text with.
                golden jsonb NOT NULL,
                stored_at timestamptz NOT NULL DEFAULT now()
            );

            CREATE TABLE evaluation_outcome (
                evaluation_id bigint PRIMARY KEY REFERENCES evaluation,
                verdict text NOT NULL
                    CHECK (verdict IN ('ADMIT', 'ADMIT_RETIRE', 'REJECT_DUPLICATE', 'REJECT_BUDGET', 'REJECT_NO_GAIN')),
                reason text NOT NULL,
                preset text NOT NULL CHECK (preset IN ('standard', 'small')),
                members_before text[] NOT NULL,
                members_after text[] NOT NULL,
                retired text[] NOT NULL,
                -- The models whose predictions went in.
                judged text[] NOT NULL,
                metrics jsonb NOT NULL,
                -- JSON; the digest is over its canonical form.
                evidence bytea NOT NULL,
                evidence_sha256 text NOT NULL CHECK (evidence_sha256 ~ '^[0-9a-f]{64}$'),
                combiner_sha256 text REFERENCES combiner,
                -- Beside the evidence, outside its digest.
                worker text NOT NULL,
                program_version text NOT NULL,
                seconds double precision NOT NULL CHECK (seconds >= 0),
                stored_at timestamptz NOT NULL DEFAULT now(),
                CHECK (cardinality(members_after) <= 64),
                CHECK ((verdict IN ('ADMIT', 'ADMIT_RETIRE')) = (combiner_sha256 IS NOT NULL))
            );

            CREATE TABLE utility_score (
                evaluation_id bigint NOT NULL REFERENCES evaluation_outcome ON DELETE CASCADE,
                model_version_id bigint NOT NULL REFERENCES model_version,
                kind text NOT NULL CHECK (kind IN ('shapley_abs', 'shapley_signed', 'sage', 'leave_one_out')),
                value double precision NOT NULL,
                standard_error double precision CHECK (standard_error >= 0),
                PRIMARY KEY (evaluation_id, model_version_id, kind)
            );

            -- Decisions, manifests, promotions ------------------------------------------------------------------------------------

            -- An outcome in force; it can no longer be deleted.
            CREATE TABLE decision (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                evaluation_id bigint NOT NULL UNIQUE REFERENCES evaluation_outcome,
                submission_id bigint UNIQUE REFERENCES submission,
                policy_version integer NOT NULL,
                decided_at timestamptz NOT NULL,
                FOREIGN KEY (ensemble_id, policy_version) REFERENCES policy_version (ensemble_id, version)
            );
            CREATE INDEX decision_of_ensemble ON decision (ensemble_id, id);

            CREATE FUNCTION refuse_change_of_decided() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'UPDATE'
                   OR EXISTS (SELECT FROM decision d WHERE d.evaluation_id = coalesce(NEW.evaluation_id, OLD.evaluation_id)) THEN
                    RAISE EXCEPTION '% rows of a decided evaluation are immutable', TG_TABLE_NAME
                        USING ERRCODE = 'restrict_violation';
                END IF;
                RETURN coalesce(NEW, OLD);
            END $$;
            CREATE TRIGGER evaluation_outcome_is_immutable BEFORE INSERT OR UPDATE OR DELETE ON evaluation_outcome
                FOR EACH ROW EXECUTE FUNCTION refuse_change_of_decided();
            CREATE TRIGGER utility_score_is_immutable BEFORE INSERT OR UPDATE OR DELETE ON utility_score
                FOR EACH ROW EXECUTE FUNCTION refuse_change_of_decided();

            CREATE TABLE manifest (
                ensemble_id bigint NOT NULL REFERENCES ensemble,
                sequence integer NOT NULL CHECK (sequence > 0),
                generation integer NOT NULL CHECK (generation > 0),
                sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
                previous_sha256 text CHECK (previous_sha256 ~ '^[0-9a-f]{64}$'),
                content_id text NOT NULL CHECK (content_id ~ '^[0-9a-f]{64}$'),
                -- The canonical JSON, byte for byte as it is served.
                body bytea NOT NULL CHECK (encode(sha256(body), 'hex') = sha256),
                combiner_sha256 text NOT NULL REFERENCES combiner,
                decision_id bigint NOT NULL UNIQUE REFERENCES decision,
                created_at timestamptz NOT NULL,
                PRIMARY KEY (ensemble_id, sequence),
                UNIQUE (ensemble_id, sha256),
                -- The chain does not fork: every manifest has at most one successor.
                UNIQUE NULLS NOT DISTINCT (ensemble_id, previous_sha256),
                FOREIGN KEY (ensemble_id, previous_sha256) REFERENCES manifest (ensemble_id, sha256),
                CHECK ((sequence = 1) = (previous_sha256 IS NULL))
            );
            CREATE INDEX manifest_by_combiner ON manifest (combiner_sha256);

            CREATE TABLE promotion (
                ensemble_id bigint NOT NULL,
                sequence integer NOT NULL,
                decision_id bigint NOT NULL UNIQUE REFERENCES decision,
                kind text NOT NULL CHECK (kind IN ('founding', 'admit', 'admit_retire')),
                admission text NOT NULL CHECK (admission IN ('shapley-top-k')),
                joined text[] NOT NULL,
                retired text[] NOT NULL,
                -- All members after it, in model order: the head's sequence leads to the champion's.
                members text[] NOT NULL CHECK (cardinality(members) BETWEEN 1 AND 64),
                actor text NOT NULL,
                reason text NOT NULL,
                created_at timestamptz NOT NULL,
                PRIMARY KEY (ensemble_id, sequence),
                FOREIGN KEY (ensemble_id, sequence) REFERENCES manifest
            );

            -- Identity and audit --------------------------------------------------------------------------------------------------

            CREATE TABLE api_token (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$'),
                -- The token itself is never stored.
                secret_sha256 text NOT NULL UNIQUE CHECK (secret_sha256 ~ '^[0-9a-f]{64}$'),
                scopes text[] NOT NULL
                    CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'submit', 'audit', 'node', 'admin']),
                created_at timestamptz NOT NULL DEFAULT now(),
                created_by text NOT NULL,
                revoked_at timestamptz
            );

            -- A hash chain: every event carries the digest of the one before, the first 64 zeros; ids have no gaps.
            CREATE TABLE audit_event (
                id bigint PRIMARY KEY CHECK (id > 0),
                at timestamptz NOT NULL,
                actor text NOT NULL,
                action text NOT NULL,
                subject text NOT NULL,
                -- Canonical JSON.
                detail text NOT NULL,
                previous_sha256 text NOT NULL UNIQUE CHECK (previous_sha256 ~ '^[0-9a-f]{64}$'),
                sha256 text NOT NULL UNIQUE CHECK (sha256 ~ '^[0-9a-f]{64}$')
            );

            DO $$
            DECLARE
                immutable text[] := ARRAY[
                    'policy_version', 'validation_set', 'validation_row_block', 'model_version', 'submission', 'prediction_block',
                    'combiner', 'decision', 'manifest', 'promotion', 'audit_event'
                ];
                name text;
            BEGIN
                FOREACH name IN ARRAY immutable LOOP
                    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                                   name || '_is_immutable', name);
                END LOOP;
                FOREACH name IN ARRAY immutable || ARRAY['evaluation_outcome', 'utility_score'] LOOP
                    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                                   name || '_is_not_emptied', name);
                END LOOP;
            END $$;

            """#)
}
