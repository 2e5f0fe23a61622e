import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import RegistryTesting
import Synchronization

@testable import ServingNode

/// A model server of the Open Inference Protocol on loopback. Its models look rows up in tables: the tensor `row` says
/// which.
final class MemberServer: Sendable {
    /// What a model does with a call.
    enum Behaviour: Sendable {
        case answer
        case status(Int)
        case body(String)
        /// Fails on calls that have this row.
        case failsOnRow(Int)
        /// Answers this row with what is no row of probabilities.
        case spoilsRow(Int)
        /// Answers once the gate is open.
        case waits(Gate)
        /// The first call so, the later ones otherwise.
        indirect case first(Behaviour, then: Behaviour)
    }

    struct Call: Sendable {
        var model: String
        var path: String
        var rows: [Int]
        var keys: [String]
        var groups: [String]
        var names: [String]
    }

    private struct State {
        var behaviours: [String: Behaviour] = [:]
        var calls: [Call] = []
    }

    /// N x 3 probabilities of each model.
    private let tables: [String: [Float]]
    private let state = Mutex(State())

    init(_ tables: [String: [Float]]) { self.tables = tables }

    func behave(_ behaviour: Behaviour, as model: String) { state.withLock { $0.behaviours[model] = behaviour } }

    /// The calls of a model so far.
    func calls(_ model: String, _ path: String = "infer") -> [Call] {
        state.withLock { $0.calls.filter { $0.model == model && $0.path == path } }
    }

    /// Runs `body` with the address of a server.
    static func with<Result: Sendable>(
        _ tables: [String: [Float]], _ body: @escaping @Sendable (MemberServer, String) async throws -> Result
    ) async throws -> Result {
        let server = MemberServer(tables)
        let router = Router()
        router.post("/v2/models/:model/:verb") { request, context in
            try await server.answer(
                request, model: context.parameters.require("model"), path: context.parameters.require("verb"))
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            logger: FollowerFixture.logger)
        return try await application.test(.live) { http in
            guard let port = http.port else { throw MalformedFixture("the member server has no port") }
            return try await body(server, "http://127.0.0.1:\(port)")
        }
    }

    private func answer(_ request: Request, model: String, path: String) async throws -> Response {
        let body = try await request.body.collect(upTo: 16 << 20)
        let inputs = try JSONDecoder().decode(GoldenValue.self, from: Data(body.readableBytesView))["inputs"].array
        func data(_ name: String) -> GoldenValue { inputs.first { $0["name"].string == name }?["data"] ?? .null }
        let call = Call(
            model: model, path: path, rows: data("row").array.map(\.int), keys: data("key").strings,
            groups: data("group").strings, names: inputs.map { $0["name"].string })
        let behaviour = state.withLock { state in
            state.calls.append(call)
            guard path == "infer" else { return Behaviour.answer }
            let behaviour = state.behaviours[model] ?? .answer
            guard case .first(let first, let later) = behaviour else { return behaviour }
            state.behaviours[model] = later
            return first
        }
        return try await answer(call, behaviour)
    }

    private func answer(_ call: Call, _ behaviour: Behaviour) async throws -> Response {
        var spoilt: Int?
        switch behaviour {
        case .answer, .first: break
        case .status(let status): return Response(status: .init(code: status))
        case .body(let text): return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        case .failsOnRow(let row): if call.rows.contains(row) { return Response(status: .internalServerError) }
        case .spoilsRow(let row): spoilt = row
        case .waits(let gate): await gate.wait()
        }
        guard let table = tables[call.model] else { return Response(status: .notFound) }
        let values = call.rows.flatMap { row in row == spoilt ? [2, 0, 0] : Array(table[row * 3..<row * 3 + 3]) }
        let data = values.map(\.description).joined(separator: ",")
        return Response(
            status: .ok,
            body: ResponseBody(
                byteBuffer: ByteBuffer(
                    string:
                        #"{"model_name":"m","outputs":[{"name":"p","datatype":"FP32","shape":[\#(call.rows.count),3],"#
                        + #""data":[\#(data)]}]}"#)))
    }
}

/// Holds whoever comes until it is opened.
final class Gate: Sendable {
    private let state = Mutex((isOpen: false, waiters: [CheckedContinuation<Void, Never>]()))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
