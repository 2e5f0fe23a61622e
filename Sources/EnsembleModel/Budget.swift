/// What an ensemble may cost: members, latency and money, each limit optional but the first.
public struct Budget: Hashable, Sendable, Codable {
    /// How members' latencies add up.
    public enum LatencyRule: String, Hashable, Sendable, Codable, CaseIterable {
        /// Members are called one after another: latencies add.
        case total
        /// Members are called at once: the slowest counts.
        case parallelMax = "parallel-max"
    }

    /// Most members.
    public var members: Int
    /// Most latency a row, in milliseconds.
    public var latencyMilliseconds: Double?
    /// How members' latencies combine.
    public var latencyRule: LatencyRule
    /// Most cost, in US dollars per 10,000 rows.
    public var costUSDPer10k: Double?

    /// Creates a budget.
    public init(
        members: Int = 6, latencyMilliseconds: Double? = nil, latencyRule: LatencyRule = .parallelMax,
        costUSDPer10k: Double? = nil
    ) {
        self.members = members
        self.latencyMilliseconds = latencyMilliseconds
        self.latencyRule = latencyRule
        self.costUSDPer10k = costUSDPer10k
    }

    /// Whether a set of members fits.
    public func admits(_ members: [ModelCost]) -> Bool {
        guard members.count <= self.members else { return false }
        if let limit = latencyMilliseconds {
            let latencies = members.map { $0.latencyNanoseconds ?? 0 }
            let latency = latencyRule == .total ? latencies.reduce(0, +) : latencies.max() ?? 0
            if Double(latency) > limit * 1e6 { return false }
        }
        if let limit = costUSDPer10k {
            let cost = members.reduce(Int64(0)) { $0 + ($1.costNanoUSDPerRow ?? 0) }
            if Double(cost) > limit * 1e5 { return false }
        }
        return true
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case members
        case latencyMilliseconds = "latency_ms"
        case latencyRule = "latency_rule"
        case costUSDPer10k = "cost_usd_per_10k"
    }

    /// Decodes a budget; limits left out take their defaults, unknown ones are refused.
    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self, of: "budget")
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let defaults = Budget()
        members = try values.decodeIfPresent(Int.self, forKey: .members) ?? defaults.members
        latencyMilliseconds = try values.decodeIfPresent(Double.self, forKey: .latencyMilliseconds)
        latencyRule = try values.decodeIfPresent(LatencyRule.self, forKey: .latencyRule) ?? defaults.latencyRule
        costUSDPer10k = try values.decodeIfPresent(Double.self, forKey: .costUSDPer10k)
    }
}

/// What one model costs a row.
public struct ModelCost: Hashable, Sendable {
    /// Latency a row, in nanoseconds.
    public var latencyNanoseconds: Int64?
    /// Cost a row, in nano US dollars (1 US dollar per 10,000 rows = 100,000).
    public var costNanoUSDPerRow: Int64?

    /// Creates a cost; what is not declared counts as nothing.
    public init(latencyNanoseconds: Int64? = nil, costNanoUSDPerRow: Int64? = nil) {
        self.latencyNanoseconds = latencyNanoseconds
        self.costNanoUSDPerRow = costNanoUSDPerRow
    }
}

extension Decoder {
    /// Refuses keys that a type does not know: a misspelt switch must not be silently ignored.
    func refuseUnknownKeys<Key: CodingKey & CaseIterable>(_ type: Key.Type, of what: String) throws {
        let known = Key.allCases.map(\.stringValue)
        for key in try container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
            throw EnsembleModelError(
                .invalidPolicy,
                "unknown \(what) switch '\(key.stringValue.prefix(40))'; known are: \(known.joined(separator: ", "))")
        }
    }
}

private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
