SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  validatorUrl: null, // the default would send the document to another host
  displayRequestDuration: true,
  presets: [SwaggerUIBundle.presets.apis],
});
