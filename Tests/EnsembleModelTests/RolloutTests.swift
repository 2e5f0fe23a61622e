import EnsembleModel
import Testing

@Suite struct RolloutTests {
    /// `int.from_bytes(hashlib.sha256(b"node-1" + b"7").digest()[:8], "big") % 10000`
    @Test(arguments: [
        ("node-1", 7, 145), ("node-1", 8, 5782), ("n", 1, 8013), ("web-3-000042", 123456, 6199),
    ]) func cohortsAreThoseOfTheFormula(node: String, sequence: Int, cohort: Int) {
        #expect(Rollout.cohort(node: node, sequence: sequence) == cohort)
    }

    @Test func aNodeThatIsInStaysIn() {
        #expect(!Rollout.includes(node: "node-1", sequence: 7, share: 0))
        let cohort = Rollout.cohort(node: "node-1", sequence: 7)
        #expect(!Rollout.includes(node: "node-1", sequence: 7, share: cohort))
        #expect(Rollout.includes(node: "node-1", sequence: 7, share: cohort + 1))
        #expect(Rollout.includes(node: "node-1", sequence: 7, share: Rollout.whole))
        #expect(Rollout.includes(node: "node-1", sequence: 7, share: nil))
    }

    @Test func sharesAreOfTheNodes() {
        let taken = (0..<10_000).count { Rollout.includes(node: "node-\($0)", sequence: 3, share: 1_000) }
        #expect((900...1_100).contains(taken))
    }
}
