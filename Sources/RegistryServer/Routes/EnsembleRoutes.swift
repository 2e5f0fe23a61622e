import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import Ingest
import NIOCore
import RegistryAPI
import RegistryStore

/// Ensembles: create, list, show, rows, found.
struct EnsembleRoutes {
    let store: RegistryStore
    let uploads: Uploads
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("ensembles", use: list)
        router.put("ensembles/:name", use: create)
        router.get("ensembles/:name", use: show)
        router.get("ensembles/:name/rows", use: rows)
        router.post("ensembles/:name/epochs", use: startEpoch)
        router.post("ensembles/:name/found", use: found)
    }

    @Sendable private func list(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read)
        let page = try PageRequest(request, limits: limits)
        return try .json(page.cut(await store.ensembles(after: page.after, limit: page.limit + 1), key: \.name))
    }

    @Sendable private func create(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let name = try context.parameter("name")
        try Name.check(name, as: "ensemble")
        try request.refuseUnknownParameters(besides: ["class", "description", "policy"])
        let query = request.uri.queryParameters
        let classes = query.getAll("class")
        guard (2...64).contains(classes.count), Set(classes).count == classes.count else {
            throw Problem(.badRequest, detail: "name 2 to 64 different classes: ?class=exact&class=substitute…")
        }
        let policy =
            try query.get("policy").map {
                try PolicyRoutes.decode(Policy.self, from: Data($0.utf8))
            } ?? Policy()
        let validation = try await uploads.receiveLabels(request, classes: classes)
        // Refused now, not at the founding: the rows cannot be changed afterwards.
        _ = try HashSplit(validation, salt: validation.epochSalt)
        let (record, created) = try await store.createEnsemble(
            name: name, description: query.get("description") ?? "", validation: validation, policy: policy,
            actor: identity.name)
        return try .json(record, status: created ? .created : .ok)
    }

    @Sendable private func show(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .submit, .node)
        return try .json(await store.ensemble(context.parameter("name")))
    }

    /// Ids and groups, never labels: what a submitter needs to predict.
    @Sendable private func rows(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .submit)
        let name = try context.parameter("name")
        _ = try await store.ensemble(name)  // A missing ensemble is a 404, before the answer begins.
        let store = store
        let body = ResponseBody { writer in
            try await writer.write(ByteBuffer(string: "id,group\n"))
            try await store.withValidationRows(ensemble: name) { block in
                var buffer = ByteBuffer()
                for row in block {
                    buffer.writeString("\(CSVField.quoted(row.id)),\(CSVField.quoted(row.group))\n")
                }
                try await writer.write(buffer)
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "text/csv"], body: body)
    }

    @Sendable private func startEpoch(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        try request.refuseUnknownParameters(besides: [])
        let ensemble = try await store.ensemble(context.parameter("name"))
        let validation = try await uploads.receiveLabels(request, classes: ensemble.classes)
        let (record, created) = try await store.startEpoch(
            ensemble: ensemble.name, validation: validation, actor: identity.name
        ) { _ = try HashSplit(validation, salt: $0) }
        return try .json(record, status: created ? .created : .ok)
    }

    @Sendable private func found(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        try request.refuseUnknownParameters(besides: ["replace"])
        let replace = request.uri.queryParameters.get("replace")
        guard replace == nil || replace == "true" || replace == "false" else {
            throw Problem(.badRequest, detail: "replace is true or false")
        }
        return try .json(
            await store.requestFounding(
                ensemble: context.parameter("name"), replacing: replace == "true", actor: identity.name),
            status: .accepted)
    }
}
