-- Promotions that wait for people's approval.

-- Pending: there is a decision, which takes effect when enough people approve of it. It holds up no newcomer.
ALTER TABLE evaluation
    DROP CONSTRAINT evaluation_state_check,
    ADD CONSTRAINT evaluation_state_check CHECK (state IN (
        'queued', 'evaluating', 'evaluated', 'pending', 'decided', 'failed', 'cancelled', 'replayed')),
    ADD CHECK (state <> 'pending' OR kind <> 'replay'),
    ADD CHECK (state <> 'pending'
               OR num_nulls(fence_token, worker, started_at, against_sequence, against_epoch,
                            against_policy_version, against_ledger_revision) = 0);
DROP INDEX evaluation_one_open_founding;
CREATE UNIQUE INDEX evaluation_one_open_founding ON evaluation (ensemble_id)
    WHERE kind = 'founding' AND state IN ('queued', 'evaluating', 'evaluated', 'pending');

ALTER TABLE decision
    -- none: nobody's approval was asked for.
    ADD COLUMN approval text NOT NULL DEFAULT 'none'
        CHECK (approval IN ('none', 'pending', 'approved', 'rejected', 'superseded')),
    ADD COLUMN approvals_needed integer NOT NULL DEFAULT 0 CHECK (approvals_needed BETWEEN 0 AND 2),
    ADD COLUMN superseded_because text CHECK (length(superseded_because) BETWEEN 1 AND 2000),
    ADD COLUMN resolved_at timestamptz,
    ADD CHECK ((approval = 'none') = (approvals_needed = 0)),
    ADD CHECK (approval = 'none' OR NOT is_hold),
    ADD CHECK ((approval = 'superseded') = (superseded_because IS NOT NULL)),
    ADD CHECK ((approval IN ('none', 'pending')) = (resolved_at IS NULL));
CREATE INDEX decision_waiting ON decision (ensemble_id) WHERE approval = 'pending';

-- What was superseded is evaluated again, and so decided again.
DROP INDEX decision_on_the_merits;
CREATE UNIQUE INDEX decision_on_the_merits ON decision (submission_id) WHERE NOT is_hold AND approval <> 'superseded';

CREATE TABLE review (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id bigint NOT NULL REFERENCES decision,
    reviewer text NOT NULL,
    answer text NOT NULL CHECK (answer IN ('approve', 'reject')),
    reason text NOT NULL CHECK (length(reason) <= 2000),
    -- Who submitted the model and who asked for its evaluation: they do not approve of their own.
    proposed_by text[] NOT NULL CHECK (cardinality(proposed_by) > 0),
    reviewed_at timestamptz NOT NULL,
    UNIQUE (decision_id, reviewer, answer),
    CHECK (answer = 'reject' OR reviewer <> ALL (proposed_by)),
    CHECK (answer = 'approve' OR reason ~ '\S')
);
CREATE UNIQUE INDEX review_one_rejection ON review (decision_id) WHERE answer = 'reject';
CREATE TRIGGER review_is_immutable BEFORE UPDATE OR DELETE ON review
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER review_is_not_emptied BEFORE TRUNCATE ON review
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_late_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM decision WHERE id = NEW.decision_id AND approval = 'pending' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the decision does not wait for approval' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER review_is_of_a_pending_decision BEFORE INSERT ON review
    FOR EACH ROW EXECUTE FUNCTION refuse_late_review();

-- A decision stays as it is, but for the one step out of pending, which the reviews must bear out.
CREATE FUNCTION refuse_change_of_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    resolution text[] := ARRAY['approval', 'superseded_because', 'resolved_at'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.approval NOT IN ('none', 'pending') THEN
            RAISE EXCEPTION 'a decision begins without reviews' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR OLD.approval <> 'pending' OR NEW.approval = 'pending'
       OR to_jsonb(NEW) - resolution <> to_jsonb(OLD) - resolution
       OR (NEW.approval = 'approved' AND NEW.approvals_needed > (
               SELECT count(*) FROM review r WHERE r.decision_id = NEW.id AND r.answer = 'approve'))
       OR ((NEW.approval = 'rejected') <> EXISTS (
               SELECT FROM review r WHERE r.decision_id = NEW.id AND r.answer = 'reject')) THEN
        RAISE EXCEPTION 'decision rows are immutable' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER decision_is_immutable ON decision;
CREATE TRIGGER decision_is_immutable BEFORE INSERT OR UPDATE OR DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_decision();

CREATE FUNCTION refuse_unapproved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM decision d WHERE d.id = NEW.decision_id AND d.approval NOT IN ('none', 'approved')) THEN
        RAISE EXCEPTION 'a promotion needs its approvals' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER promotion_is_approved BEFORE INSERT ON promotion
    FOR EACH ROW EXECUTE FUNCTION refuse_unapproved();
