import EnsembleModel
import Evaluation
import RegistryStore

/// Brings the inputs of evaluations from the database and keeps them by their digest: members' predictions are the same
/// from one submission to the next.
actor InputCache {
    private let store: RegistryStore
    private let capacityBytes: Int
    /// Least recently used first.
    private var predictions: [(digest: ContentDigest, value: Predictions)] = []
    private var validation: (digest: ContentDigest, value: ValidationSet)?

    init(store: RegistryStore, capacityBytes: Int) {
        self.store = store
        self.capacityBytes = capacityBytes
    }

    /// Everything that a claim's evaluation needs.
    func request(for claim: RegistryStore.Claim) async throws -> EvaluationRequest {
        let validation = try await validationSet(for: claim)
        var candidates: [Candidate] = []
        for candidate in claim.candidates {
            let values = try await predictions(of: candidate, classCount: validation.classCount)
            candidates.append(Candidate(id: candidate.model, predictions: values, cost: candidate.cost))
        }
        return EvaluationRequest(
            kind: claim.kind, challenger: claim.challenger, champion: claim.champion, candidates: candidates,
            validation: validation, epochSalt: claim.epochSalt, policy: claim.policy,
            policyVersion: claim.policyVersion, preset: claim.preset, submitter: claim.submitter,
            ledger: claim.ledger, retiredLoss: claim.retiredLoss, sealKey: claim.sealKey)
    }

    private func validationSet(for claim: RegistryStore.Claim) async throws -> ValidationSet {
        if let validation, validation.digest == claim.validation { return validation.value }
        let value = try await store.validationSet(ensemble: claim.ensemble, epoch: claim.epoch)
        validation = (claim.validation, value)
        return value
    }

    private func predictions(of candidate: RegistryStore.Claim.Candidate, classCount: Int) async throws -> Predictions {
        if let position = predictions.firstIndex(where: { $0.digest == candidate.predictions }) {
            predictions.append(predictions.remove(at: position))
            return predictions[predictions.count - 1].value
        }
        let value = try await store.predictions(submission: candidate.submission, classCount: classCount)
        predictions.append((candidate.predictions, value))
        var total = predictions.reduce(0) { $0 + $1.value.values.count * 4 }
        while total > capacityBytes, predictions.count > 1 {
            total -= predictions.removeFirst().value.values.count * 4
        }
        return value
    }
}
