import EnsembleModel

/// The search for the first ensemble by out-of-fold loss over all rows.
///
/// Backward elimination from all candidates to one, dropping the best of the three lowest by SAGE each time; then the
/// best feasible set is polished by adding a model or swapping one in; then parsimony: of all feasible sets tried, the
/// smallest that cannot be told from the best.
struct FoundingSearch {
    /// What a search found.
    struct Result {
        /// The set to found.
        let members: Coalitions.Fit
        /// The feasible set of lowest loss.
        let best: Coalitions.Fit
        /// Number of different sets whose losses were compared.
        let triedCount: Int
    }

    /// Models of lowest SAGE that are considered for leaving.
    static let width = 3
    /// Most rounds of polishing.
    static let polishRounds = 3
    /// Above so many candidates the one of lowest SAGE leaves without a search.
    static let searchedCandidates = 16
    /// A polished set must be better by more than this, in nats.
    static let tolerance = 1e-9
    let coalitions: Coalitions
    let parsimony: Double
    let monitor: Monitor
    private var inputs: Inputs { coalitions.inputs }
    private var tried: [[ModelVersionID]: Coalitions.Fit] = [:]

    init(_ coalitions: Coalitions, parsimony: Double, monitor: Monitor) {
        self.coalitions = coalitions
        self.parsimony = parsimony
        self.monitor = monitor
    }

    /// Searches all candidates; nil when no set tried fits the budget.
    mutating func run() throws -> Result? {
        let path = try eliminate()
        let feasible = path.filter(isFeasible)
        guard let start = feasible.min(by: { $0.precedes($1) }) else { return nil }
        let candidates = path.first { $0.members.count <= Self.searchedCandidates }?.members ?? []
        let best = try polish(start, candidates: candidates)
        let near = tried.values.filter { isFeasible($0) && isNear($0, best) }
        let members = near.min {
            $0.members.count != $1.members.count ? $0.members.count < $1.members.count : $0.precedes($1)
        }
        return Result(members: members ?? best, best: best, triedCount: tried.count)
    }

    private mutating func eliminate() throws -> [Coalitions.Fit] {
        let sizes = stride(from: inputs.models.count, to: 1, by: -1)
        monitor.begin("search", total: 1 + sizes.reduce(0) { $0 + leavers(of: $1) })
        // The first set is fitted for its SAGE; as a choice it is tried only if it fits.
        let all = try coalitions.fit(inputs.models)
        if isFeasible(all) { tried[all.members] = all }
        var path = [all]
        while let last = path.last, last.members.count > 1 {
            var options: [Coalitions.Fit] = []
            for model in try coalitions.lowestSage(of: last).prefix(leavers(of: last.members.count)) {
                options.append(try fit(last.members.filter { $0 != model }))
            }
            guard let best = options.min(by: { $0.precedes($1) }) else { break }
            path.append(best)
        }
        return path
    }

    /// How many members are considered for leaving a set of some size.
    private func leavers(of size: Int) -> Int { size > Self.searchedCandidates ? 1 : min(Self.width, size) }

    private mutating func polish(_ start: Coalitions.Fit, candidates: [ModelVersionID]) throws -> Coalitions.Fit {
        var current = start
        for _ in 0..<Self.polishRounds {
            let weakest = try coalitions.lowestSage(of: current).prefix(Self.width)
            var options: [[ModelVersionID]] = []
            for candidate in candidates where !current.members.contains(candidate) {
                options.append(current.members + [candidate])
                options += weakest.map { weak in current.members.filter { $0 != weak } + [candidate] }
            }
            options = options.filter(inputs.fitsBudget)
            monitor.begin("polish", total: options.count)
            var fits: [Coalitions.Fit] = []
            for option in options { fits.append(try fit(option)) }
            guard let better = fits.min(by: { $0.precedes($1) }),
                better.searchLoss < current.searchLoss - Self.tolerance
            else {
                break
            }
            current = better
        }
        return current
    }

    private mutating func fit(_ models: [ModelVersionID]) throws -> Coalitions.Fit {
        let fit = try coalitions.fit(models)
        tried[fit.members] = fit
        return fit
    }

    private func isFeasible(_ fit: Coalitions.Fit) -> Bool { inputs.fitsBudget(fit.members) }

    /// Whether a set's paired loss difference to the best is within the parsimony's number of inflated standard errors.
    private func isNear(_ fit: Coalitions.Fit, _ best: Coalitions.Fit) -> Bool {
        guard fit.members != best.members else { return true }
        let loss = Comparison(fit, best, rows: inputs.rows(.all), validation: inputs.validation)
        return loss.gain <= parsimony * loss.standardError
    }
}
