import EnsembleModel
import Foundation

@testable import RegistryCommands

/// Testing has a type of the same name.
typealias ExitStatus = RegistryCommands.ExitStatus

/// Records as a registry would give them.
enum Fixture {
    static let date = Date(timeIntervalSince1970: 1_767_270_896)

    static func evaluation(
        state: WorkState, attempt: Int = 1, progress: EvaluationProgress? = nil, failure: String? = nil,
        decision: Int64? = nil
    ) throws -> EvaluationRecord {
        EvaluationRecord(
            id: 7, ensemble: "e", kind: .admission, submission: 5, state: state, attempt: attempt, progress: progress,
            failure: failure, decision: decision, createdAt: date, finishedAt: nil)
    }

    static func submission(
        _ model: String = "a@1", epoch: Int = 1, state: WorkState = .candidate, evaluation: EvaluationRecord? = nil,
        holds: Int = 0
    ) throws -> SubmissionRecord {
        SubmissionRecord(
            id: 5, ensemble: "e", epoch: epoch, model: try ModelVersionID(model), predictions: .of("p"), rowCount: 2,
            missingRowCount: 0, state: state, evaluation: evaluation, holdCount: holds, submittedBy: "ann",
            createdAt: date)
    }

    static func ensemble(ledger: Ledger = Ledger()) throws -> EnsembleRecord {
        EnsembleRecord(
            name: "e", description: "", classes: ["x", "y,z", "q"],
            epoch: .init(
                number: 1, validation: .of("v"), salt: "salt", rowCount: 2, groupCount: 2, sliceCount: 1, preset: nil,
                startedAt: date),
            policy: Policy(), policyVersion: 1, sequence: 0, manifest: nil, members: [],
            ledger: LedgerRecord(ledger, gate: Policy.Gate()), candidateCount: 0,
            createdAt: date,
            createdBy: "ann")
    }

    static let golden = GoldenRows(inputs: [[0.25, 0.75]], rawScores: [[-1, 1]])

    static func manifest(_ combiner: Combiner) throws -> Manifest {
        try Manifest(
            ensemble: "e", generation: 1, sequence: 4, previousSHA256: nil, createdAt: 1_767_270_896, reason: .founding,
            admission: .shapleyTopK, decisionID: 9, classes: ["x", "y"],
            members: [.init(id: try ModelVersionID("a@1"), metadata: ModelMetadata(latencyNanoseconds: 5_900_000))],
            combiner: .init(combiner), columns: .probability, golden: combiner.golden)
    }
}
