// Shows the interface of the service that served this page.
/* global SwaggerUIBundle */

SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("swagger-ui"),
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  showCommonExtensions: true,
  validatorUrl: null, // asks nobody whether the description is valid
});
