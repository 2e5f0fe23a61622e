import EnsembleModel

/// The search for the best set within the budget that contains the challenger, by open out-of-fold loss.
///
/// Up to nine models, all sets that drop one or two members are tried: under a budget of members alone, those that drop
/// the fewest that suffice. With more models, or where two are not enough, one of the three of lowest SAGE leaves at a
/// time until the set fits; then members are added back or swapped in while that helps.
struct MemberSearch {
    /// Most models of which all drops are tried.
    static let exhaustiveModels = 9
    /// Most members dropped at once.
    static let exhaustiveDrops = 2

    private let coalitions: Coalitions
    private let challenger: ModelVersionID
    private let monitor: Monitor
    private(set) var steps: [Evidence.SearchStep] = []

    private var inputs: Inputs { coalitions.inputs }

    init(_ coalitions: Coalitions, challenger: ModelVersionID, monitor: Monitor) {
        self.coalitions = coalitions
        self.challenger = challenger
        self.monitor = monitor
    }

    /// Searches a set's subsets; nil when none that contains the challenger fits.
    mutating func run(_ judged: [ModelVersionID]) throws -> [ModelVersionID]? {
        guard !inputs.fitsBudget(judged) else { return judged }
        let options = judged.count <= Self.exhaustiveModels ? fewestDrops(judged) : []
        guard options.isEmpty else { return try choose(.exhaustive, from: judged, among: options).members }
        var current = try coalitions.fit(judged)
        while !inputs.fitsBudget(current.members) {
            let leavers = try leavers(of: current)
            guard !leavers.isEmpty else { return nil }
            current = try choose(
                .drop, from: current.members, among: leavers.map { leaver in current.members.filter { $0 != leaver } })
        }
        return try polish(current, candidates: judged)
    }

    /// The feasible sets that drop one or two members; under a budget of members alone, the largest of them.
    private func fewestDrops(_ judged: [ModelVersionID]) -> [[ModelVersionID]] {
        let others = judged.filter { $0 != challenger }
        let pairs = others.indices.flatMap { first in
            others[(first + 1)...].map { [others[first], $0] }
        }
        let sets = (others.map { [$0] } + pairs).map { drop in judged.filter { !drop.contains($0) } }
        let feasible = sets.filter(inputs.fitsBudget)
        guard inputs.budget.limitsMembersOnly else { return feasible }
        let largest = feasible.map(\.count).max()
        return feasible.filter { $0.count == largest }
    }

    /// The three members of lowest SAGE that may leave.
    private func leavers(of fit: Coalitions.Fit) throws -> ArraySlice<ModelVersionID> {
        try coalitions.lowestSage(of: fit).filter { $0 != challenger }.prefix(FoundingSearch.width)
    }

    private mutating func polish(
        _ start: Coalitions.Fit, candidates: [ModelVersionID]
    ) throws -> [ModelVersionID] {
        var current = start
        for _ in 0..<FoundingSearch.polishRounds {
            let weakest = try leavers(of: current)
            var options: [[ModelVersionID]] = []
            for candidate in candidates where !current.members.contains(candidate) {
                options.append((current.members + [candidate]).sorted())
                options += weakest.map { weak in (current.members.filter { $0 != weak } + [candidate]).sorted() }
            }
            options = options.filter(inputs.fitsBudget)
            guard !options.isEmpty else { break }
            let better = try choose(.polish, from: current.members, among: options, orStay: current)
            guard better.members != current.members else { break }
            current = better
        }
        return current.members
    }

    /// Fits the options, takes the best, and writes the step down.
    private mutating func choose(
        _ move: Evidence.SearchStep.Move, from start: [ModelVersionID], among options: [[ModelVersionID]],
        orStay current: Coalitions.Fit? = nil
    ) throws -> Coalitions.Fit {
        monitor.begin("search", total: options.count + 1)
        let sage = try coalitions.sage(of: coalitions.fit(start))
        let fits = try options.map { try coalitions.fit($0) }
        var best = fits.dropFirst().reduce(fits[0]) { $1.precedes($0) ? $1 : $0 }
        if let current, best.searchLoss >= current.searchLoss - FoundingSearch.tolerance { best = current }
        steps.append(
            Evidence.SearchStep(
                move: move, from: start, sage: sage, options: fits.map { $0.triedSet(logLoss: $0.searchLoss) },
                chosen: best.members))
        return best
    }
}

extension Budget {
    /// Whether only the number of members is limited.
    fileprivate var limitsMembersOnly: Bool { latencyMilliseconds == nil && costUSDPer10k == nil }
}
