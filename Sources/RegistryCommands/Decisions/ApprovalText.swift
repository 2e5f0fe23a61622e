import EnsembleModel

/// What is said of a decision that needs people's approval.
enum ApprovalText {
    /// What stands in a line of a listing: `ADMIT`, `ADMIT, pending 1 of 2`, `ADMIT, rejected by ann`.
    static func verdict(_ decision: DecisionRecord) -> String {
        guard let approval = decision.approval else { return decision.verdict.rawValue }
        let state =
            switch approval.state {
            case .pending: "pending \(approval.approvers.count) of \(approval.needed)"
            case .approved: "approved by \(approval.approvers.joined(separator: ", "))"
            case .rejected: "rejected by \(approval.rejection?.reviewer ?? "-")"
            case .superseded: "superseded"
            }
        return "\(decision.verdict.rawValue), \(state)"
    }

    /// Whether the champion is not what the decision's members after say.
    static func isUnpublished(_ decision: DecisionRecord) -> Bool {
        decision.approval.map { $0.state != .approved } ?? false
    }

    /// What became of a decision, after its subject: `waits for approval`.
    static func fate(_ approval: ApprovalRecord) -> String {
        switch approval.state {
        case .pending: "waits for approval: nothing is published yet"
        case .approved: "was approved"
        case .rejected: "was rejected by \(approval.rejection?.reviewer ?? "-"): the champion stays"
        case .superseded: "is superseded: nothing was published"
        }
    }

    /// Who said what, and what is to be done; one sentence or thought each.
    static func lines(_ decision: DecisionRecord) -> [String] {
        guard let approval = decision.approval else { return [] }
        let reviews = approval.reviews.map { review in
            let what = review.answer == .approve ? "Approved" : "Rejected"
            let why = review.reason.isEmpty ? "" : ": \(review.reason)"
            return "\(what) by \(review.reviewer), \(Format.date(review.at)) UTC\(why)"
        }
        switch approval.state {
        case .approved: return reviews
        case .rejected: return reviews + ["That is final; what the evaluation spent stays spent."]
        case .superseded:
            return reviews + ["Approvals count for nothing any more: \(approval.supersededBecause ?? "")."]
        case .pending:
            return reviews + [
                "\(approval.approvers.count) of \(approval.needed) approvals are given. Who has the scope admin and "
                    + "did not submit it decides: `registry approve \(decision.id)`, or `registry reject "
                    + "\(decision.id) --reason TEXT`."
            ]
        }
    }

    /// What a review came to.
    static func afterReview(_ decision: DecisionRecord) -> String {
        guard let approval = decision.approval else { return "" }
        let id = decision.id
        switch approval.state {
        case .pending:
            let given = "\(approval.approvers.count) of \(approval.needed) approvals"
            return "Decision \(id) has \(given); it waits for another person's."
        case .approved:
            return "Decision \(id) is approved: manifest \(decision.sequence.map(String.init) ?? "-") is published."
        case .rejected:
            return "Decision \(id) is rejected by \(approval.rejection?.reviewer ?? "-"); the champion stays."
        case .superseded:
            return "Decision \(id) is superseded, and nothing was published: \(approval.supersededBecause ?? ""). "
                + "What it was about is evaluated again; approvals do not carry over."
        }
    }
}
