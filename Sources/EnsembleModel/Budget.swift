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
        let values = try SwitchReader(decoder, CodingKeys.self, of: "budget")
        let defaults = Budget()
        members = try values.read(.members, defaults.members)
        latencyMilliseconds = try values.readOptional(.latencyMilliseconds)
        latencyRule = try values.choice(.latencyRule, defaults.latencyRule)
        costUSDPer10k = try values.readOptional(.costUSDPer10k)
    }

    func validate() throws(EnsembleModelError) {
        try Policy.check("budget.members", members, in: 1...64)
        let amounts = [
            ("budget.latency_ms", latencyMilliseconds), ("budget.cost_usd_per_10k", costUSDPer10k),
        ]
        for case (let name, let value?) in amounts where !(value.isFinite && value > 0) {
            throw EnsembleModelError(.invalidPolicy, "\(name) is \(value); it must be a positive number")
        }
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
