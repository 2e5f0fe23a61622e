import EnsembleModel
import Foundation
import RegistryAPI
import Synchronization
import Testing

@testable import ServingNode

@Suite struct StatusReporterTests {
    @Test func reportsEveryChangeOnce() async throws {
        try await FollowerFixture.with { node in
            let reporter = StatusReporter(
                node: "n", client: node.client, limits: NodeLimits(), logger: FollowerFixture.logger,
                statuses: [node.status], changes: ChangeSignal(), figures: { ["name_length": Double($0.count)] },
                now: { node.clock.now })
            #expect(await reporter.send() == nil)
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            #expect(await reporter.send() == nil)
            let reports = node.registry.state.reports
            #expect(reports.map(\.node) == ["n", "n"])
            #expect(reports.map(\.report.state) == [.empty, .serving])
            #expect(
                reports.map(\.report.running) == [nil, .init(generation: 1, sequence: 1, sha256: first.digest)])
            #expect(reports.last?.report.attempted == first.digest)
            #expect(
                reports.last?.report.figures
                    == ["name_length": 6, "metadata_stale": 0, "metadata_expires_seconds": 600])
            #expect(reports.last?.report.versions == .init(root: 1, targets: 1, snapshot: 1, timestamp: 1))
            node.registry.change { $0.problem = Problem(.busy, detail: "later") }
            #expect(await reporter.send() != nil)
        }
    }

    @Test func tellsThatMostRequestsFailWithWhatItServes() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            let metrics = EnsembleMetrics()
            let watch = FailureWatch(ensembles: [.init(metrics: metrics, status: node.status)], limits: NodeLimits())
            var last = watch.looks
            func look(_ answered: [Int: Int]) -> NodeReport.Refusal? {
                for (status, count) in answered { metrics.requests.add(status, count) }
                watch.look(since: &last)
                return node.report.refusal
            }
            #expect(look([503: 10, 200: 10]) == nil)
            // Too few to say anything are counted on.
            #expect(look([503: 11]) == nil)
            let failing = look([200: 5, 400: 4])
            #expect(failing?.stage == .runtime && failing?.code == "failing_requests")
            #expect(failing?.message == "11 of the last 20 requests failed")
            // Told once, until it is over or another manifest is served.
            #expect(look([500: 30]) == failing)
            #expect(look([200: 5]) == failing)
            #expect(look([200: 20]) == nil)
            _ = look([503: 30])
            // What failed before the switch is not the new manifest's fault.
            metrics.requests.add(503, 30)
            try node.publish(Release(2, .three, after: first))
            #expect(await node.poll() == "activated 2")
            #expect(node.report.refusal == nil)
            #expect(look([503: 30]) == nil)
            #expect(look([503: 30])?.stage == .runtime)
        }
    }

    @Test(.timeLimit(.minutes(1))) func sendsWhatChangedUntilItArrives() async throws {
        try await FollowerFixture.with { node in
            let changes = ChangeSignal()
            var limits = NodeLimits()
            limits.longestBackoff = .zero
            let reporter = StatusReporter(
                node: "n", client: node.client, limits: limits, logger: FollowerFixture.logger,
                statuses: [node.status], changes: changes)
            let running = Task { await reporter.run() }
            while node.registry.state.reports.isEmpty {
                try Task.checkCancellation()
                await Task.yield()
            }
            let before = node.registry.state
            node.registry.change { $0.problem = Problem(.databaseUnavailable, detail: "later") }
            changes.send()
            while node.registry.state.reportAttempts < before.reportAttempts + 3 {
                try Task.checkCancellation()
                await Task.yield()
            }
            node.registry.change { $0.problem = nil }
            while node.registry.state.reports.count == before.reports.count {
                try Task.checkCancellation()
                await Task.yield()
            }
            running.cancel()
            await running.value
        }
    }

    @Test func onlyNewsIsAChange() async throws {
        try await FollowerFixture.with { node in
            let count = Counter()
            let start = try FollowingStart(
                node.slots, root: { node.registry.root }, pin: nil, now: node.clock.now, logger: FollowerFixture.logger)
            let status = FollowingStatus(ensemble: "digits", start: start) { count.add() }
            status.update { $0.trust.versions.timestamp = 7 }
            #expect(count.value == 0)
            status.update { $0.attempted = .of("a") }
            status.update { $0.attempted = .of("a") }
            #expect(count.value == 1)
            status.update { $0.refusal = .init(stage: .load, code: "c", message: "m") }
            #expect(count.value == 2)
        }
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}
