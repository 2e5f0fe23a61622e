import EnsembleModel
import Foundation
import RegistryTesting
import Testing

@testable import ServingNode

@Suite struct MetricsTests {
    /// Prometheus' text format, read as its specification says; throws on whatever it does not allow.
    private struct Exposition {
        var kinds: [String: String] = [:]
        var samples: [(name: String, labels: [String: String], value: Double)] = []

        init(_ text: String) throws {
            try #require(text.hasSuffix("\n"))
            var family = ""
            for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
                if let match = line.wholeMatch(of: /# HELP ([a-z_]+) .+/) {
                    family = String(match.1)
                } else if let match = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge|histogram)/) {
                    try #require(match.1 == family && kinds[family] == nil, "\(line)")
                    kinds[family] = String(match.2)
                } else {
                    let pattern = /([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)/
                    let match = try #require(line.wholeMatch(of: pattern), "\(line)")
                    let suffixes = kinds[family] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                    try #require(suffixes.contains { family + $0 == match.1 }, "\(line)")
                    let labels = (match.2 ?? "").matches(of: /([a-z_]+)="((?:[^"\\]|\\.)*)"/).map {
                        (String($0.1), String($0.2))
                    }
                    samples.append(
                        (String(match.1), Dictionary(uniqueKeysWithValues: labels), try #require(Double(match.3))))
                }
            }
        }

        func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
            samples.first { $0.name == name && $0.labels == labels }?.value
        }
    }

    @Test func tellsWhatTheNodeDid() async throws {
        let task = try GroupedTask.shared.get()
        try await MemberServer.with(["knn": task.members[0], "minilm": task.members[1]]) { server, address in
            let release = try task.release(7, .probability) { try $0.callMembers(at: address) }
            let served = ServedEnsemble(name: "digits", loaded: try release.loaded())
            try await ServingFixture.with(served) { node in
                server.behave(.first(.answer, then: .status(500)), as: "knn")
                for rows in [[1, 2], [1], [3]] { _ = try await node.ask(rows, keys: rows.map { "k\($0)" }) }
                _ = try await node.post("{}")
                let text = try await node.get("/metrics")
                let metrics = try Exposition(String(text.dropFirst(4)))
                let ensemble = ["ensemble": "digits"]
                func of(_ member: String, _ more: [String: String] = [:]) -> [String: String] {
                    ["ensemble": "digits", "member": "\(member)@1"].merging(more) { $1 }
                }
                #expect(metrics.value("registry_node_info", ["version": ServingNode.version]) == 1)
                #expect(metrics.value("registry_node_manifest_sequence", ensemble) == 7)
                #expect(metrics.value("registry_node_manifest_generation", ensemble) == 1)
                #expect(try #require(metrics.value("registry_node_manifest_age_seconds", ensemble)) > 0)
                let requests = "registry_node_requests_total"
                #expect(metrics.value(requests, ["ensemble": "digits", "status": "200"]) == 3)
                #expect(metrics.value(requests, ["ensemble": "digits", "status": "400"]) == 1)
                #expect(metrics.value("registry_node_request_duration_seconds_count", ensemble) == 3)
                #expect(metrics.value("registry_node_request_rows_sum", ensemble) == 4)
                #expect(metrics.value("registry_node_incomplete_rows_total", ensemble) == 1)
                #expect(metrics.value("registry_node_member_calls_total", of("knn", ["result": "ok"])) == 1)
                #expect(metrics.value("registry_node_member_calls_total", of("knn", ["result": "bad_answer"])) == 1)
                #expect(metrics.value("registry_node_member_faults_total", of("knn", ["reason": "bad_answer"])) == 1)
                #expect(metrics.value("registry_node_member_retries_total", of("minilm")) == 0)
                #expect(metrics.value("registry_node_member_breaker_state", of("knn")) == 0)
                #expect(metrics.value("registry_node_member_call_rows_sum", of("minilm")) == 3)
                #expect(metrics.value("registry_node_cache_hits_total", ["cache": "label"]) == 1)
                #expect(metrics.value("registry_node_cache_misses_total", ["cache": "label"]) == 3)
                #expect(metrics.value("registry_node_cache_rows", ["cache": "label"]) == 2)
                #expect(metrics.value("registry_node_cache_rows", ["cache": "output"]) == 5)
                #expect(metrics.value("registry_node_cache_hit_ratio", ["cache": "label"]) == 0.25)
                try Self.checkHistograms(metrics)
            }
        }
    }

    /// Buckets only grow, and the last holds all.
    private static func checkHistograms(_ metrics: Exposition) throws {
        let histograms = metrics.kinds.filter { $0.value == "histogram" }.map(\.key)
        #expect(histograms.count == 4)
        for name in histograms {
            let counts = metrics.samples.filter { $0.name == name + "_count" }
            #expect(!counts.isEmpty)
            for count in counts {
                let buckets = metrics.samples.filter { sample in
                    sample.name == name + "_bucket" && count.labels.allSatisfy { sample.labels[$0] == $1 }
                }
                #expect(buckets.last?.labels["le"] == "+Inf" && buckets.last?.value == count.value)
                #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0.value <= $1.value })
                let bounds = buckets.dropLast().compactMap { $0.labels["le"].flatMap(Double.init) }
                #expect(bounds.count == buckets.count - 1 && bounds == bounds.sorted())
            }
        }
    }

    @Test func escapesLabels() {
        var text = MetricsText()
        text.family("x", .gauge, "a\nb\\")
        text.sample("x", [("l", "q\"\\\n")], 1.5)
        #expect(text.text == "# HELP x a\\nb\\\\\n# TYPE x gauge\nx{l=\"q\\\"\\\\\\n\"} 1.5\n")
    }

    @Test func countsValuesByTheirBounds() {
        let histogram = Histogram(bounds: [1, 10])
        for value in [0.5, 1, 1.5, 10, 11] { histogram.record(value) }
        #expect(histogram.counts.buckets == [2, 2, 1] && histogram.counts.sum == 24)
        var text = MetricsText()
        text.histogram("h", [], histogram)
        #expect(
            text.text
                == "h_bucket{le=\"1.0\"} 2\nh_bucket{le=\"10.0\"} 4\nh_bucket{le=\"+Inf\"} 5\nh_sum 24.0\nh_count 5\n")
    }

    @Test func reportsWhatCameSinceTheLastReport() async throws {
        let served = ServedEnsemble(name: "digits", loaded: try Release(1).loaded())
        let caches = RowCaches(ServingOptions())
        let serving = EnsembleServing(
            served, calls: MemberCalls(limits: MemberLimits()), caches: caches, limits: NodeLimits(),
            logger: FollowerFixture.logger)
        let figures = ReportedFigures([serving], caches: caches)
        #expect(figures.take("digits") == ["requests": 0, "failed_requests": 0])
        #expect(figures.take("faces") == [:])
        for milliseconds in [0.05] + [Double](repeating: 2, count: 98) + [30.0] {
            serving.metrics.requests.add(200)
            serving.metrics.latency.record(milliseconds / 1000)
        }
        serving.metrics.requests.add(503)
        let key = RowCaches.OutputKey(member: "m", key: "k")
        _ = caches.outputs?.value(key)
        caches.outputs?.insert([1], for: key, bytes: 100)
        for _ in 0..<3 { _ = caches.outputs?.value(key) }
        let first = figures.take("digits")
        #expect(first["requests"] == 101 && first["failed_requests"] == 1 && first["output_cache_hit_ratio"] == 0.75)
        // Half of the values lie halfway through the bucket from 1 to 2.5 ms, 99 of 100 at its end.
        #expect(abs(try #require(first["latency_p50_ms"]) - 1.75) < 1e-9)
        #expect(abs(try #require(first["latency_p99_ms"]) - 2.5) < 1e-9)
        serving.metrics.requests.add(200)
        serving.metrics.latency.record(20)
        let second = figures.take("digits")
        #expect(second["requests"] == 1 && second["failed_requests"] == 0)
        // Beyond the last bound nothing more is known.
        #expect(second["latency_p99_ms"] == 10_000)
    }
}
