import EnsembleModel
import Foundation

/// Everything that a node counts, as Prometheus reads it.
struct NodeMetrics: Sendable {
    private let ensembles: [EnsembleServing]
    private let calls: MemberCalls
    private let caches: RowCaches

    init(ensembles: [EnsembleServing], calls: MemberCalls, caches: RowCaches) {
        self.ensembles = ensembles
        self.calls = calls
        self.caches = caches
    }

    /// Members that are left alone after failures, as `ensemble/model@version`.
    var membersLeftAlone: [String] {
        calls.all.filter { !$0.lane.isClosed }.map { "\($0.key.ensemble)/\($0.key.model)@\($0.key.version)" }
    }

    /// The text of `/metrics`.
    func text(now: Date) -> String {
        var text = MetricsText()
        text.family("registry_node_info", .gauge, "The node's version.")
        text.sample("registry_node_info", [("version", ServingNode.version)], 1)
        writeManifests(&text, now: now)
        writeRequests(&text)
        writeMembers(&text)
        writeCaches(&text)
        return text.text
    }

    private func writeManifests(_ text: inout MetricsText, now: Date) {
        let served = ensembles.compactMap { serving in
            serving.served.current.map { (name: serving.served.name, manifest: $0.manifest) }
        }
        let figures: [(String, String, (Manifest) -> Int)] = [
            ("registry_node_manifest_generation", "Generation of the manifest served.", { $0.generation }),
            ("registry_node_manifest_sequence", "Sequence of the manifest served.", { $0.sequence }),
            (
                "registry_node_manifest_age_seconds", "Time since the manifest served was published.",
                { max(0, Int(now.timeIntervalSince1970) - Int($0.createdAt)) }
            ),
        ]
        for (name, help, value) in figures {
            text.family(name, .gauge, help)
            for ensemble in served { text.sample(name, [("ensemble", ensemble.name)], value(ensemble.manifest)) }
        }
    }

    private func writeRequests(_ text: inout MetricsText) {
        text.family("registry_node_requests_total", .counter, "Inference requests by HTTP status.")
        for serving in ensembles {
            for (status, count) in serving.metrics.requests.counts.sorted(by: { $0.key < $1.key }) {
                text.sample(
                    "registry_node_requests_total", [("ensemble", serving.served.name), ("status", "\(status)")], count)
            }
        }
        write(&text, "registry_node_request_duration_seconds", "Time to answer inference requests.", \.latency)
        write(&text, "registry_node_request_rows", "Rows of inference requests.", \.rows)
        write(
            &text, "registry_node_incomplete_rows_total", "Rows answered without some member.", \.incompleteRows)
        write(&text, "registry_node_warmed_rows_total", "Rows computed ahead for new members.", \.warmedRows)
        text.family("registry_node_warmups_total", .counter, "New members for which rows were computed ahead.")
        for serving in ensembles {
            for (result, count) in serving.metrics.warmups.counts.sorted(by: { $0.key < $1.key }) {
                text.sample(
                    "registry_node_warmups_total", [("ensemble", serving.served.name), ("result", result)], count)
            }
        }
    }

    private func write(
        _ text: inout MetricsText, _ name: String, _ help: String, _ histogram: (EnsembleMetrics) -> Histogram
    ) {
        text.family(name, .histogram, help)
        for serving in ensembles {
            text.histogram(name, [("ensemble", serving.served.name)], histogram(serving.metrics))
        }
    }

    private func write(
        _ text: inout MetricsText, _ name: String, _ help: String, _ tally: (EnsembleMetrics) -> Tally<String>
    ) {
        text.family(name, .counter, help)
        for serving in ensembles {
            text.sample(
                name, [("ensemble", serving.served.name)], tally(serving.metrics).counts.values.reduce(0, +))
        }
    }

    private func writeMembers(_ text: inout MetricsText) {
        let lanes = calls.all.map { key, lane in
            (
                labels: [
                    ("ensemble", key.ensemble), ("member", "\(key.model)@\(key.version)"),
                ] as MetricsText.Labels, lane: lane
            )
        }
        text.family("registry_node_member_calls_total", .counter, "Calls of members by how they ended.")
        for (labels, lane) in lanes {
            for (result, count) in lane.metrics.calls.counts.sorted(by: { $0.key < $1.key }) {
                text.sample("registry_node_member_calls_total", labels + [("result", result)], count)
            }
        }
        text.family(
            "registry_node_member_faults_total", .counter, "Requests' rows that a member gave nothing for, by reason.")
        for (labels, lane) in lanes {
            for (code, count) in lane.metrics.faults.counts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                text.sample("registry_node_member_faults_total", labels + [("reason", code.rawValue)], count)
            }
        }
        text.family("registry_node_member_retries_total", .counter, "Calls of members that were sent again.")
        for (labels, lane) in lanes {
            text.sample(
                "registry_node_member_retries_total", labels, lane.metrics.retries.counts.values.reduce(0, +))
        }
        text.family(
            "registry_node_member_breaker_state", .gauge, "0 called, 1 probed whether it is back, 2 left alone.")
        for (labels, lane) in lanes { text.sample("registry_node_member_breaker_state", labels, lane.breakerNumber) }
        text.family("registry_node_member_call_duration_seconds", .histogram, "Time of calls of members.")
        for (labels, lane) in lanes {
            text.histogram("registry_node_member_call_duration_seconds", labels, lane.metrics.latency)
        }
        text.family("registry_node_member_call_rows", .histogram, "Rows joined into calls of members.")
        for (labels, lane) in lanes {
            text.histogram("registry_node_member_call_rows", labels, lane.metrics.batchRows)
        }
    }

    private func writeCaches(_ text: inout MetricsText) {
        let caches = [("label", self.caches.labels?.figures), ("output", self.caches.outputs?.figures)]
            .compactMap { name, figures in
                figures.map { (labels: [("cache", name)] as MetricsText.Labels, figures: $0) }
            }
        let figures: [(String, MetricsText.Kind, String, (CacheFigures) -> Int)] = [
            ("registry_node_cache_hits_total", .counter, "Rows found.", { $0.hits }),
            ("registry_node_cache_misses_total", .counter, "Rows not found.", { $0.misses }),
            ("registry_node_cache_evictions_total", .counter, "Rows that had to leave.", { $0.evictions }),
            ("registry_node_cache_bytes", .gauge, "Bytes held.", { $0.bytes }),
            ("registry_node_cache_capacity_bytes", .gauge, "Most bytes held.", { $0.capacity }),
            ("registry_node_cache_rows", .gauge, "Rows held.", { $0.entries }),
        ]
        for (name, kind, help, value) in figures {
            text.family(name, kind, help)
            for cache in caches { text.sample(name, cache.labels, value(cache.figures)) }
        }
        text.family("registry_node_cache_hit_ratio", .gauge, "Share of rows found since the start.")
        for cache in caches {
            text.sample("registry_node_cache_hit_ratio", cache.labels, cache.figures.hitRatio ?? 0)
        }
    }
}

extension MemberLane {
    /// Whether calls pass.
    var isClosed: Bool { breakerNumber == 0 }

    /// The breaker's state as a number: 0 closed, 1 half open, 2 open.
    var breakerNumber: Int {
        switch breakerState {
        case .closed: 0
        case .halfOpen: 1
        case .open: 2
        }
    }
}
