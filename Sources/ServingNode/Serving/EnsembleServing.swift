import EnsembleModel
import Logging

/// Answers for one ensemble: keeps what it can, calls the members that a request leaves out, and combines.
final class EnsembleServing: Sendable {
    /// What the ensemble says about N rows.
    struct Answer: Sendable {
        /// N x K, row by row.
        var probabilities: [Double]
        /// The most probable class of each row; the first of equals.
        var labels: [String]
        /// Places of the members that each row was answered without; empty when no row lacks any.
        var missing: [[Int]]

        var missingAnywhere: [Int] { Set(missing.joined()).sorted() }
    }

    let served: ServedEnsemble
    let metrics = EnsembleMetrics()
    let calls: MemberCalls
    private let caches: RowCaches
    private let hot = HotRows()
    private let limits: NodeLimits
    private let logger: Logger

    init(_ served: ServedEnsemble, calls: MemberCalls, caches: RowCaches, limits: NodeLimits, logger: Logger) {
        self.served = served
        self.calls = calls
        self.caches = caches
        self.limits = limits
        self.logger = logger
    }

    /// Answers a request by one champion, whatever is activated meanwhile.
    ///
    /// - Throws: ``NodeError`` with code `badRequest` or `tooLarge` saying what is wrong with the request, or
    ///   `membersUnavailable` when some row has no answer of any member.
    func answer(_ request: InferenceRequest, by loaded: LoadedEnsemble) async throws(NodeError) -> Answer {
        let input = try loaded.input(request, limits: limits)
        metrics.rows.record(Double(input.rowCount))
        guard !input.absent.isEmpty else {
            let members = loaded.tensorNames.indices.compactMap { input.given[$0] }
            let probabilities = try loaded.probabilities(members, groups: input.rows.groups)
            return Answer(probabilities: probabilities, labels: loaded.labels(probabilities), missing: [])
        }
        let deadline = ContinuousClock.now + calls.limits.timeout
        // What a request brings itself counts for it alone: it neither takes nor leaves labels.
        if input.given.isEmpty { hot.add(input.rows) }
        guard input.given.isEmpty, let keys = labelKeys(input, loaded) else {
            return try await computed(input, rows: Array(0..<input.rowCount), by: loaded, deadline: deadline)
        }
        return try await cached(input, keys: keys, by: loaded, deadline: deadline)
    }

    /// Takes from the label cache what it has, and computes the rest.
    private func cached(
        _ input: EnsembleInput, keys: [RowCaches.LabelKey], by loaded: LoadedEnsemble,
        deadline: ContinuousClock.Instant
    ) async throws(NodeError) -> Answer {
        let classCount = loaded.classCount
        let found = keys.map { caches.labels?.value($0) }
        var rows = found.indices.filter { found[$0] == nil }
        if let groups = input.rows.groups, loaded.seesGroups, !rows.isEmpty {
            // The mean of a group is over all its rows.
            let wanted = Set(rows.map { groups[$0] })
            rows = groups.indices.filter { wanted.contains(groups[$0]) }
        }
        var probabilities = found.flatMap { $0 ?? [Double](repeating: 0, count: classCount) }
        var missing: [[Int]] = []
        if !rows.isEmpty {
            let answer = try await computed(input, rows: rows, by: loaded, deadline: deadline)
            let isWhole = wholeRows(answer, rows: rows, groups: loaded.seesGroups ? input.rows.groups : nil)
            if !answer.missing.isEmpty { missing = [[Int]](repeating: [], count: input.rowCount) }
            for (place, row) in rows.enumerated() {
                let values = answer.probabilities[place * classCount..<(place + 1) * classCount]
                probabilities.replaceSubrange(row * classCount..<(row + 1) * classCount, with: values)
                if !answer.missing.isEmpty { missing[row] = answer.missing[place] }
                guard isWhole[place] else { continue }
                caches.labels?.insert(Array(values), for: keys[row], bytes: keys[row].bytes(classCount: classCount))
            }
        }
        return Answer(probabilities: probabilities, labels: loaded.labels(probabilities), missing: missing)
    }

    /// Whether all members stood behind each row, and behind the rows of its group where these matter.
    private func wholeRows(_ answer: Answer, rows: [Int], groups: [String]?) -> [Bool] {
        guard !answer.missing.isEmpty else { return [Bool](repeating: true, count: rows.count) }
        guard let groups else { return answer.missing.map(\.isEmpty) }
        let lacking = Set(rows.indices.filter { !answer.missing[$0].isEmpty }.map { groups[rows[$0]] })
        return rows.map { !lacking.contains(groups[$0]) }
    }

    /// Under what each row's label is kept; nil when it is not.
    private func labelKeys(_ input: EnsembleInput, _ loaded: LoadedEnsemble) -> [RowCaches.LabelKey]? {
        guard caches.labels != nil, let keys = input.rows.keys else { return nil }
        let groups = loaded.seesGroups ? input.rows.groups.map { RowCaches.compositions(keys: keys, groups: $0) } : nil
        return keys.indices.map { row in
            RowCaches.LabelKey(contentID: loaded.manifest.contentID, key: keys[row], group: groups?[row])
        }
    }

    /// Calls the members that the request leaves out, and combines.
    private func computed(
        _ input: EnsembleInput, rows: [Int], by loaded: LoadedEnsemble, deadline: ContinuousClock.Instant
    ) async throws(NodeError) -> Answer {
        let selection = RowSelection(input.rows, rows)
        let called = await withTaskGroup(of: (Int, [Float]).self) { group in
            for member in input.absent {
                group.addTask { (member, await self.outputs(of: member, of: loaded, selection, deadline: deadline)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let classCount = loaded.classCount
        let members = loaded.tensorNames.indices.map { member in
            called[member]
                ?? input.given[member].map { given in rows.flatMap { given[$0 * classCount..<($0 + 1) * classCount] } }
                ?? []
        }
        var missing = rows.indices.map { loaded.missingMembers(members, row: $0) }
        guard missing.allSatisfy({ $0.count < members.count }) else {
            throw NodeError(
                .membersUnavailable,
                "no member of '\(served.name)' answered for some rows: try again, or send the members' tensors")
        }
        let incomplete = missing.count { !$0.isEmpty }
        if incomplete == 0 { missing = [] } else { metrics.incompleteRows.add("rows", incomplete) }
        let probabilities = try loaded.probabilities(
            members, groups: input.rows.groups.map { groups in rows.map { groups[$0] } })
        return Answer(probabilities: probabilities, labels: loaded.labels(probabilities), missing: missing)
    }

    /// A member's probabilities, N x K: those kept, and for other rows what it answers; NaN where it does not.
    private func outputs(
        of member: Int, of loaded: LoadedEnsemble, _ rows: RowSelection, deadline: ContinuousClock.Instant
    ) async -> [Float] {
        let classCount = loaded.classCount
        var values = [Float](repeating: .nan, count: rows.count * classCount)
        guard let lane = lane(member, of: loaded) else { return values }
        var wanted = Array(0..<rows.count)
        let keys = caches.outputs == nil ? nil : rows.source.keys
        let name = loaded.outputScope(member)
        if let keys {
            wanted = wanted.filter { place in
                let key = RowCaches.OutputKey(member: name, key: keys[rows.rows[place]])
                guard let kept = caches.outputs?.value(key) else { return true }
                values.replaceSubrange(place * classCount..<(place + 1) * classCount, with: kept)
                return false
            }
        }
        for (places, answer) in await answers(lane, rows, wanted, deadline: deadline) {
            guard case .success(let answered) = answer else { continue }
            for (index, place) in places.enumerated() {
                let row = answered[index * classCount..<(index + 1) * classCount]
                values.replaceSubrange(place * classCount..<(place + 1) * classCount, with: row)
                guard let keys else { continue }
                let key = RowCaches.OutputKey(member: name, key: keys[rows.rows[place]])
                caches.outputs?.insert(Array(row), for: key, bytes: key.bytes(classCount: classCount))
            }
        }
        return values
    }

    /// Asks a member for some of the rows, in as many calls as that takes.
    private func answers(
        _ lane: MemberLane, _ rows: RowSelection, _ wanted: [Int], deadline: ContinuousClock.Instant
    ) async -> [(places: [Int], answer: MemberLane.Answer)] {
        guard !wanted.isEmpty else { return [] }
        let size = calls.limits.batches.rows
        guard wanted.count > size else {
            return [(wanted, await lane.call(rows.selecting(wanted), deadline: deadline))]
        }
        return await withTaskGroup(of: ([Int], MemberLane.Answer).self) { group in
            for first in stride(from: 0, to: wanted.count, by: size) {
                let places = Array(wanted[first..<min(first + size, wanted.count)])
                group.addTask { (places, await lane.call(rows.selecting(places), deadline: deadline)) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func lane(_ member: Int, of loaded: LoadedEnsemble) -> MemberLane? {
        loaded.callKey(member).map(calls.lane)
    }

    // MARK: - A new champion

    /// Makes a champion that is about to be served ready: asks its new members for the rows that are asked for most, so
    /// that the first requests find their outputs.
    ///
    /// Whatever fails is said and counted; after ``NodeLimits/warming`` at the latest the champion is served all the
    /// same.
    func warm(_ new: LoadedEnsemble) async {
        let known = Set(served.current.map { old in old.tensorNames.indices.map(old.outputScope) } ?? [])
        let newcomers = new.tensorNames.indices.filter { !known.contains(new.outputScope($0)) }
        let selections = hot.selections()
        if !selections.isEmpty, caches.outputs != nil {
            let deadline = ContinuousClock.now + limits.warming
            await withTaskGroup(of: Void.self) { group in
                for member in newcomers where new.endpoints[member] != nil {
                    group.addTask { await self.warm(member, of: new, selections, deadline: deadline) }
                }
            }
        }
        let champions = [served.current, new].compactMap { $0 }
        calls.keep(Set(champions.flatMap { $0.tensorNames.indices.compactMap($0.callKey) }), of: served.name)
    }

    private func warm(
        _ member: Int, of new: LoadedEnsemble, _ selections: [RowSelection], deadline: ContinuousClock.Instant
    ) async {
        guard let lane = lane(member, of: new) else { return }
        var (rowCount, warmed, faults): (Int, Int, [MemberFault]) = (0, 0, [])
        for rows in selections {
            rowCount += rows.count
            if let fault = await lane.precompute(rows, deadline: deadline) { faults.append(fault) }
            let values = await outputs(of: member, of: new, rows, deadline: deadline)
            warmed += stride(from: 0, to: values.count, by: new.classCount).count { !values[$0].isNaN }
        }
        metrics.warmedRows.add("rows", warmed)
        metrics.warmups.add(warmed == rowCount && faults.isEmpty ? "ok" : "failed")
        let metadata: Logger.Metadata = [
            "ensemble": "\(served.name)", "member": "\(new.tensorNames[member])", "rows": "\(rowCount)",
            "computed": "\(warmed)",
        ]
        if warmed == rowCount, faults.isEmpty {
            logger.info("Computed a new member's outputs of frequent rows", metadata: metadata)
        } else {
            let reason = faults.first?.message ?? "it did not answer for all rows"
            logger.warning(
                "Could not compute all of a new member's outputs of frequent rows",
                metadata: metadata.merging(["reason": "\(reason)"]) { $1 })
        }
    }
}

extension LoadedEnsemble {
    /// What a member's outputs are kept under, beside the row's key.
    func outputScope(_ member: Int) -> String {
        "\(manifest.ensemble)/\(manifest.members[member].model)@\(manifest.members[member].version)"
    }

    /// The way to a member; nil when it cannot be called.
    func callKey(_ member: Int) -> MemberCalls.Key? {
        endpoints[member].map { endpoint in
            MemberCalls.Key(
                ensemble: manifest.ensemble, model: manifest.members[member].model,
                version: manifest.members[member].version, endpoint: endpoint, classCount: classCount)
        }
    }
}
