import EnsembleModel
import Foundation
import Postgres

extension ApprovalRecord {
    /// What ``init(row:)`` reads of `decision d` and its reviews, in the order they came.
    static var columns: SQL {
        func all(_ column: SQL) -> SQL {
            "ARRAY(SELECT r.\(column) FROM review r WHERE r.decision_id = d.id ORDER BY r.id)"
        }
        return """
            d.approval, d.approvals_needed, d.superseded_because, \(all("reviewer")) AS reviewers,
            \(all("answer")) AS answers, \(all("reason")) AS review_reasons, \(all("reviewed_at")) AS review_times
            """
    }

    /// nil where nobody's approval was asked for.
    init?(row: Row) throws {
        guard try row["approvals_needed"] as Int > 0 else { return nil }
        let (reviewers, answers): ([String], [String]) = (try row["reviewers"], try row["answers"])
        let (reasons, times): ([String], [Date]) = (try row["review_reasons"], try row["review_times"])
        let reviews = try reviewers.indices.map { index in
            guard let answer = ReviewRecord.Answer(rawValue: answers[index]) else {
                throw StoreError(.corrupt, "a stored review is neither an approval nor a rejection")
            }
            return ReviewRecord(
                reviewer: reviewers[index], answer: answer, reason: reasons[index], at: times[index])
        }
        self.init(
            state: try row.value("approval"), needed: try row["approvals_needed"], reviews: reviews,
            supersededBecause: try row["superseded_because"])
    }
}
