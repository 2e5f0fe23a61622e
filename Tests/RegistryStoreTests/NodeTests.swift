import EnsembleModel
import Foundation
import Testing

@testable import RegistryStore

@Suite struct NodeTests {
    private func report(
        _ state: NodeReport.State = .serving, sequence: Int? = 1, sha256: ContentDigest = .of([]),
        attempted: ContentDigest? = nil, refusal: NodeReport.Refusal? = nil
    ) -> NodeReport {
        NodeReport(
            ensemble: StoreFixture.ensemble, program: "1.0", state: state,
            running: sequence.map { .init(generation: 1, sequence: $0, sha256: sha256) }, attempted: attempted,
            refusal: refusal, versions: .init(root: 1), figures: ["label_hit_rate": 0.5])
    }

    @Test func theNewestReportOfEachNodeIsKept() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            let newest = try #require(try await store.manifest(ensemble: StoreFixture.ensemble)).sha256
            let refusal = NodeReport.Refusal(stage: .load, code: "invalid_combiner", message: "golden rows differ")
            try await store.report([.init(node: "b", report: report(.empty, sequence: nil))], now: StoreFixture.time)
            let later = StoreFixture.time.addingTimeInterval(5)
            var strange = report()
            strange.ensemble = "unknown"
            try await store.report(
                [
                    .init(node: "b", report: report(sha256: newest)), .init(node: "a", report: report()),
                    .init(node: "c", report: report(attempted: newest, refusal: refusal)),
                    .init(node: "d", report: report(.pinned)), .init(node: "e", report: strange),
                ], now: later)
            let nodes = try await store.nodes(ensemble: StoreFixture.ensemble)
            #expect(nodes.map(\.node) == ["a", "b", "c", "d"])
            #expect(nodes.map(\.standing) == [.behind, .current, .refused, .pinned])
            #expect(nodes.map(\.wanted) == [1, 1, 1, 1])
            #expect(nodes[1].firstReportedAt == StoreFixture.time && nodes[1].reportedAt == later)
            #expect(nodes[1].report == report(sha256: newest))
            #expect(nodes[2].report.refusal == refusal)
            #expect(
                try await store.nodes(ensemble: StoreFixture.ensemble, after: "b", limit: 1).map(\.node) == ["c"])
            #expect(await storeError { _ = try await store.nodes(ensemble: "unknown") } == .ensembleNotFound)
        }
    }
}
