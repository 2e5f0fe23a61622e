import EnsembleModel
import Foundation
import Synchronization

/// Where a follower stands, to be read at any time and from anywhere.
final class FollowingStatus: Sendable {
    struct State: Sendable {
        var running: NodeReport.Running?
        var attempted: ContentDigest?
        var refusal: NodeReport.Refusal?
        /// Why what is served does not serve.
        var failure: NodeReport.Refusal?
        var trust = TrustSummary()
    }

    let ensemble: String
    private let pin: Int?
    private let onChange: @Sendable () -> Void
    private let state: Mutex<State>

    /// - Parameters:
    ///   - start: where it begins.
    ///   - pin: the sequence that the node was told to stay at.
    ///   - onChange: called when there is news for the registry; versions and expiry alone are none.
    init(
        ensemble: String, start: FollowingStart, pin: Int? = nil, onChange: @escaping @Sendable () -> Void = {}
    ) {
        self.ensemble = ensemble
        let running = start.loaded?.slot.document
        state = Mutex(
            State(
                running: running?.running, attempted: start.refused?.digest ?? running?.digest,
                refusal: start.refused?.refusal, trust: start.summary))
        self.pin = pin
        self.onChange = onChange
    }

    func update(_ change: (inout State) -> Void) {
        let isNews = state.withLock { state in
            let old = state
            change(&state)
            return old.running != state.running || old.attempted != state.attempted || old.refusal != state.refusal
                || old.failure != state.failure
        }
        if isNews { onChange() }
    }

    /// The manifest that is served; nil while there is none.
    var running: ContentDigest? { state.withLock { $0.running?.sha256 } }

    /// What the registry is told.
    func report(now: Date, figures: [String: Double] = [:]) -> NodeReport {
        let state = state.withLock { $0 }
        let isPinned = pin != nil && state.running?.sequence == pin
        return NodeReport(
            ensemble: ensemble, program: ServingNode.version,
            state: state.running == nil
                ? .empty : isPinned ? .pinned : state.trust.isStale(now: now) ? .stale : .serving,
            running: state.running, attempted: state.attempted,
            // About the newest manifest in both cases: a refused one is not served.
            refusal: state.refusal ?? (state.attempted == state.running?.sha256 ? state.failure : nil),
            versions: state.trust.versions, figures: figures.merging(gauges(now: now)) { given, _ in given })
    }

    /// Figures for monitoring: `metadata_stale` is 1 once trusted metadata has expired, `metadata_expires_seconds` says
    /// how long until then (negative after it; left out while nothing is trusted).
    func gauges(now: Date) -> [String: Double] {
        let trust = state.withLock { $0.trust }
        var gauges = ["metadata_stale": trust.isStale(now: now) ? 1.0 : 0]
        gauges["metadata_expires_seconds"] = trust.freshUntil?.timeIntervalSince(now)
        return gauges
    }
}
