import ArgumentParser
import EnsembleModel
import NIOCore
import RegistryAPI
import RegistryClient

/// Everything about ensembles.
struct EnsemblesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ensembles",
        abstract: "Create, list and found classification tasks.",
        subcommands: [
            CreateEnsembleCommand.self, List.self, Show.self, Rows.self, Found.self, PolicyCommand.self,
            EpochCommand.self,
        ])

    /// Lists them.
    struct List: RegistryRequest {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show what there is.")

        @OptionGroup var page: PageOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let page = try await page.collect { try await client.ensembles(after: $0, limit: $1) }
            try output.emit(page) { page in
                guard !page.items.isEmpty else {
                    return "There are no ensembles yet: make one with `registry ensembles create`."
                }
                return TextTable(
                    columns: [
                        .text("ensemble"), .number("classes"), .number("rows"), .number("candidates"),
                        .number("members"),
                        .number("manifest"), .text("created (UTC)"),
                    ],
                    rows: page.items.map {
                        [
                            $0.name, "\($0.classes.count)", "\($0.epoch.rowCount)", "\($0.candidateCount)",
                            "\($0.members.count)",
                            $0.sequence == 0 ? "-" : "\($0.sequence)", Format.date($0.createdAt),
                        ]
                    }
                ).text
            }
        }
    }

    /// Shows one.
    struct Show: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "See one with its members and the gate tests it has left.")

        @Argument(help: "Ensemble.") var name: String
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            try output.emit(try await client.ensemble(name), text: EnsembleText.full)
        }
    }

    /// Streams the row ids.
    struct Rows: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "rows",
            abstract: "Write the validation rows to predict: CSV id,group, in row-id order, without labels.")

        @Argument(help: "Ensemble.") var name: String
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            guard !output.json else { throw CommandError(.usage, "rows are CSV; --json does not apply") }
            // A character may be cut between two pieces: only whole lines are turned into text.
            var rest = ByteBuffer()
            try await client.rows(ensemble: name) { piece in
                rest.writeImmutableBuffer(piece)
                guard let end = rest.readableBytesView.lastIndex(of: UInt8(ascii: "\n")) else { return }
                try output.console.write(rest.readString(length: end - rest.readerIndex + 1) ?? "")
                rest.discardReadBytes()
            }
            try output.console.write(String(buffer: rest))
        }
    }

    /// Founds one.
    struct Found: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "found", abstract: "Choose the first members out of all candidates and publish manifest 1.",
            discussion: """
                With --replace also of an ensemble whose members cannot come again in a new epoch: it is founded anew \
                from the epoch's candidates, without a test against the champion.
                """)

        @Argument(help: "Ensemble.") var name: String
        @Flag(help: "Give up members that have no predictions of the epoch's rows.") var replace = false
        @Flag(help: "Wait until it is done.") var wait = false
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let evaluation = try await client.found(ensemble: name, replacing: replace)
            try await EvaluationResult.finish(evaluation, waiting: wait, client, output)
        }
    }
}

/// What is said of an ensemble.
enum EnsembleText {
    static func full(_ ensemble: EnsembleRecord) -> String {
        let budget = ensemble.policy.budget
        var limits = ["members \(budget.members)"]
        if let latency = budget.latencyMilliseconds {
            limits.append("latency \(latency) ms (\(budget.latencyRule.rawValue))")
        }
        if let cost = budget.costUSDPer10k { limits.append("cost \(cost) USD per 10,000 rows") }
        let epoch = ensemble.epoch
        return TextTable.details(
            [
                ("ensemble", ensemble.name),
                ("description", ensemble.description.isEmpty ? nil : ensemble.description),
                ("classes", ensemble.classes.joined(separator: ", ")),
                ("validation set", "\(epoch.rowCount) rows, \(epoch.groupCount) groups, \(epoch.sliceCount) slices"),
                ("epoch", "\(epoch.number), since \(Format.date(epoch.startedAt)) UTC"),
                ("shares rows", sharing(epoch)),
                ("policy", "version \(ensemble.policyVersion): \(ensemble.policy.admission.rawValue)"),
                ("preset", (epoch.preset ?? ensemble.policy.preset).rawValue),
                ("gate tests", gateTests(ensemble)),
                ("spent by", spenders(ensemble)),
                ("cooling down", coolDowns(ensemble)),
                ("budget", limits.joined(separator: ", ")),
                ("candidates", "\(ensemble.candidateCount)"),
                ("manifest", ensemble.manifest.map { "\(ensemble.sequence), sha256 \($0)" } ?? "none: not founded yet"),
                ("members", Format.models(ensemble.members)),
                ("missing", missing(ensemble)),
                ("created", "\(Format.date(ensemble.createdAt)) UTC by \(ensemble.createdBy)"),
            ] + cautions(ensemble).map { ("caution", $0) })
    }

    /// nil where no gate decides.
    private static func gateTests(_ ensemble: EnsembleRecord) -> String? {
        guard ensemble.policy.admission == .gated else { return nil }
        let ledger = ensemble.ledger
        let spent = "\(Format.number(ledger.alphaSpent)) of \(Format.number(ensemble.policy.gate.alpha))"
        return "\(ledger.testsLeft) left, \(ledger.tests) made; alpha \(spent) spent"
    }

    /// What keeps newcomers out whatever they bring.
    private static func cautions(_ ensemble: EnsembleRecord) -> [String] {
        var cautions: [String] = []
        if ensemble.policy.admission == .gated {
            if ensemble.epoch.groupCount < 50 {
                cautions.append(
                    "of \(ensemble.epoch.groupCount) groups about three quarters are sealed, and the gate needs 30 of "
                        + "those: give 50 groups or more")
            }
            if ensemble.ledger.testsLeft == 0 {
                cautions.append("no gate test is left: newcomers are held until the policy allows more or a new epoch")
            }
        }
        if ensemble.members.count > ensemble.policy.budget.members {
            cautions.append(
                "the champion has \(ensemble.members.count) members, the budget \(ensemble.policy.budget.members): a "
                    + "newcomer joins only in place of several")
        }
        return cautions
    }

    private static func sharing(_ epoch: EnsembleRecord.Epoch) -> String? {
        guard !epoch.sharesWith.isEmpty else { return nil }
        let epochs = epoch.sharesWith.map { "epoch \($0)" }.joined(separator: ", ")
        return "with \(epochs): what was spent there stays spent"
    }

    /// What newcomers wait for; nil when nothing is missing.
    static func missing(_ ensemble: EnsembleRecord) -> String? {
        guard !ensemble.missingMembers.isEmpty else { return nil }
        return "\(Format.models(ensemble.missingMembers)): newcomers wait for predictions of epoch "
            + "\(ensemble.epoch.number) by these members"
    }

    private static func spenders(_ ensemble: EnsembleRecord) -> String? {
        counts(ensemble.ledger.submitterTests) { $0 }
    }

    private static func coolDowns(_ ensemble: EnsembleRecord) -> String? {
        counts(ensemble.ledger.coolDowns) { $0 == "1" ? "1 evaluation" : "\($0) evaluations" }
    }

    private static func counts(_ counts: [String: Int], _ unit: (String) -> String) -> String? {
        guard !counts.isEmpty else { return nil }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key) \(unit("\($0.value)"))" }.joined(separator: ", ")
    }
}
