package import EnsembleModel

/// The gate apart from what it compares: when a test may be made, and what it says.
package struct GateTest: Sendable {
    /// Fewest sealed groups of a test.
    package static let minimumGroups = 30

    private let gate: Policy.Gate
    private let sealedGroupCount: Int

    package init(_ gate: Policy.Gate, sealedGroupCount: Int) {
        self.gate = gate
        self.sealedGroupCount = sealedGroupCount
    }

    /// Why no test can be made now; nil when one can.
    package func hold(_ ledger: Ledger, submitter: String) -> (verdict: Verdict, reason: String)? {
        if ledger.testsLeft(gate) == 0 {
            return (
                .holdEpochExhausted,
                "the epoch's \(gate.testsPerEpoch) gate tests are spent; start a new epoch with fresh labelled rows"
            )
        }
        if ledger.testsLeft(gate, submitter: submitter) == 0 {
            let quota = (gate.testsPerSubmitter ?? 0).counted("gate test")
            return (.holdQuota, "\(submitter) has spent the \(quota) that one submitter has in an epoch")
        }
        if sealedGroupCount < Self.minimumGroups {
            return (
                .holdTooFewGroups,
                "the validation set has \(sealedGroupCount.counted("sealed group")); a test needs \(Self.minimumGroups)"
            )
        }
        return nil
    }

    /// Tests a comparison over sealed rows.
    ///
    /// - Parameter championLoss: the champion's mean loss over them, in nats.
    package func result(_ comparison: Comparison, championLoss: Double) -> SealedEvidence.Gate {
        SealedEvidence.Gate(
            comparison: comparison, alpha: gate.alphaPerTest,
            quantile: StudentT(degrees: sealedGroupCount - 1).upperQuantile(gate.alphaPerTest),
            minimumGain: gate.minimumGain * championLoss, championLoss: championLoss)
    }
}

extension Comparison {
    /// Standard errors are inflated by this: folds are not independent.
    package static let inflation = 1.1

    /// The mean of rows' differences in loss.
    package init(_ differences: ClusterMean, inflation: Double = Self.inflation) {
        self.init(gain: differences.mean, standardError: inflation * (differences.standardError ?? 0))
    }
}
