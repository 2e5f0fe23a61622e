-- The registry's first schema: ensembles, epochs, submissions, evaluations, decisions, manifests, tokens, audit.
-- Text orders by bytes: the database is created with the C collation.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- Ensembles ---------------------------------------------------------------------------------------------------------

CREATE TABLE ensemble (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
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
    UNIQUE (ensemble_id, sha256)
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
    validation_set_id bigint NOT NULL REFERENCES validation_set,
    salt text NOT NULL,
    preset text CHECK (preset IN ('standard', 'small')),
    started_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ensemble_id, number)
);

-- The one row a publication locks: what is champion, policy and epoch now.
CREATE TABLE ensemble_head (
    ensemble_id bigint PRIMARY KEY REFERENCES ensemble,
    generation integer NOT NULL DEFAULT 1 CHECK (generation > 0),
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
    kind text,
    description text,
    artifact_uri text,
    artifact_sha256 text CHECK (artifact_sha256 ~ '^[0-9a-f]{64}$'),
    endpoint text,
    latency_ns bigint CHECK (latency_ns >= 0),
    cost_nano_usd bigint CHECK (cost_nano_usd >= 0),
    tags jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    UNIQUE (name, version)
);
CREATE TRIGGER model_version_is_immutable BEFORE UPDATE OR DELETE ON model_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

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
CREATE TRIGGER submission_is_immutable BEFORE UPDATE OR DELETE ON submission
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Little-endian float32 probabilities, row by row in row-id order, 65,536 rows a block; NaN = no prediction.
CREATE TABLE prediction_block (
    submission_id bigint NOT NULL REFERENCES submission,
    block integer NOT NULL CHECK (block >= 0),
    probabilities bytea NOT NULL,
    PRIMARY KEY (submission_id, block)
);
ALTER TABLE prediction_block ALTER COLUMN probabilities SET STORAGE EXTERNAL;
CREATE TRIGGER prediction_block_is_immutable BEFORE UPDATE OR DELETE ON prediction_block
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Evaluations: the workers' queue, and their outcomes ----------------------------------------------------------------

CREATE SEQUENCE fence_token;

CREATE TABLE evaluation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ensemble_id bigint NOT NULL REFERENCES ensemble,
    kind text NOT NULL CHECK (kind IN ('founding', 'admission')),
    submission_id bigint REFERENCES submission,
    requested_by text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'evaluating', 'evaluated', 'decided', 'failed', 'cancelled')),
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
    CHECK (state <> 'evaluating' OR (fence_token IS NOT NULL AND lease_expires_at IS NOT NULL))
);
CREATE INDEX evaluation_in_work ON evaluation (ensemble_id, id) WHERE state IN ('queued', 'evaluating', 'evaluated');
CREATE UNIQUE INDEX evaluation_one_open_per_submission ON evaluation (submission_id)
    WHERE state IN ('queued', 'evaluating', 'evaluated', 'decided');
CREATE UNIQUE INDEX evaluation_one_open_founding ON evaluation (ensemble_id)
    WHERE kind = 'founding' AND state IN ('queued', 'evaluating', 'evaluated');

CREATE TABLE evaluation_outcome (
    evaluation_id bigint PRIMARY KEY REFERENCES evaluation,
    verdict text NOT NULL CHECK (verdict IN ('ADMIT', 'ADMIT_RETIRE', 'REJECT_DUPLICATE', 'REJECT_BUDGET', 'REJECT_NO_GAIN')),
    reason text NOT NULL,
    preset text NOT NULL CHECK (preset IN ('standard', 'small')),
    members_before text[] NOT NULL,
    members_after text[] NOT NULL,
    retired text[] NOT NULL,
    metrics jsonb NOT NULL,
    evidence bytea NOT NULL,
    evidence_sha256 text NOT NULL CHECK (evidence_sha256 ~ '^[0-9a-f]{64}$'),
    combiner bytea,
    combiner_sha256 text CHECK (combiner_sha256 ~ '^[0-9a-f]{64}$'),
    combiner_trees integer,
    -- Rows to check a scorer of the combiner with.
    combiner_golden jsonb,
    -- Beside the evidence, outside its digest.
    worker text NOT NULL,
    program_version text NOT NULL,
    seconds double precision NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nulls(combiner, combiner_sha256, combiner_trees, combiner_golden) IN (0, 4))
);

CREATE TABLE utility_score (
    evaluation_id bigint NOT NULL REFERENCES evaluation,
    model_version_id bigint NOT NULL REFERENCES model_version,
    kind text NOT NULL CHECK (kind IN ('shapley_abs', 'shapley_signed', 'sage', 'leave_one_out')),
    value double precision NOT NULL,
    standard_error double precision CHECK (standard_error >= 0),
    PRIMARY KEY (evaluation_id, model_version_id, kind)
);

-- Decisions, promotions, manifests ------------------------------------------------------------------------------------

CREATE TABLE decision (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ensemble_id bigint NOT NULL REFERENCES ensemble,
    evaluation_id bigint NOT NULL UNIQUE REFERENCES evaluation,
    submission_id bigint UNIQUE REFERENCES submission,
    verdict text NOT NULL CHECK (verdict IN ('ADMIT', 'ADMIT_RETIRE', 'REJECT_DUPLICATE', 'REJECT_BUDGET', 'REJECT_NO_GAIN')),
    policy_version integer NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (ensemble_id, policy_version) REFERENCES policy_version (ensemble_id, version)
);
CREATE TRIGGER decision_is_immutable BEFORE UPDATE OR DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE manifest (
    ensemble_id bigint NOT NULL REFERENCES ensemble,
    sequence integer NOT NULL CHECK (sequence > 0),
    generation integer NOT NULL CHECK (generation > 0),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    previous_sha256 text CHECK (previous_sha256 ~ '^[0-9a-f]{64}$'),
    content_id text NOT NULL CHECK (content_id ~ '^[0-9a-f]{64}$'),
    body bytea NOT NULL,
    combiner bytea NOT NULL,
    combiner_sha256 text NOT NULL CHECK (combiner_sha256 ~ '^[0-9a-f]{64}$'),
    decision_id bigint NOT NULL UNIQUE REFERENCES decision,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ensemble_id, sequence),
    UNIQUE NULLS NOT DISTINCT (ensemble_id, previous_sha256),
    CHECK ((sequence = 1) = (previous_sha256 IS NULL))
);
ALTER TABLE manifest ALTER COLUMN combiner SET STORAGE EXTENDED;
CREATE INDEX manifest_by_combiner ON manifest (combiner_sha256);
CREATE TRIGGER manifest_is_immutable BEFORE UPDATE OR DELETE ON manifest
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE promotion (
    ensemble_id bigint NOT NULL,
    sequence integer NOT NULL,
    decision_id bigint NOT NULL UNIQUE REFERENCES decision,
    kind text NOT NULL CHECK (kind IN ('founding', 'admit', 'admit_retire')),
    admission text NOT NULL CHECK (admission IN ('shapley-top-k')),
    joined text[] NOT NULL,
    retired text[] NOT NULL,
    members text[] NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ensemble_id, sequence),
    FOREIGN KEY (ensemble_id, sequence) REFERENCES manifest
);
CREATE TRIGGER promotion_is_immutable BEFORE UPDATE OR DELETE ON promotion
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE ensemble_member (
    ensemble_id bigint NOT NULL REFERENCES ensemble,
    model_version_id bigint NOT NULL REFERENCES model_version,
    since_sequence integer NOT NULL,
    PRIMARY KEY (ensemble_id, model_version_id),
    FOREIGN KEY (ensemble_id, since_sequence) REFERENCES manifest (ensemble_id, sequence)
);

-- Identity and audit --------------------------------------------------------------------------------------------------

CREATE TABLE api_token (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$'),
    -- The token itself is never stored.
    secret_sha256 text NOT NULL UNIQUE CHECK (secret_sha256 ~ '^[0-9a-f]{64}$'),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'submit', 'audit', 'node', 'admin']),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    revoked_at timestamptz
);

-- A hash chain: every event carries the digest of the one before.
CREATE TABLE audit_event (
    id bigint PRIMARY KEY CHECK (id > 0),
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL,
    previous_sha256 text NOT NULL,
    sha256 text NOT NULL UNIQUE
);
CREATE TRIGGER audit_event_is_immutable BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
